"""Mistakes in every section of sfdc-sync's rules: each is named with file, line, place and what is allowed."""

from pathlib import Path

import pytest

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.wiring import POLICY
from supportops.config.rules_file import ConfigError

type Table = list[tuple[str, list[str]]]
"""A section's text, and what is said of it, without the file's name; `…` at the end stands for the rest of a list."""

TOP: Table = [
    ("bach: 5", ['2: bach: is not known; did you mean "batch"?']),
    ("batch: 201", ["2: batch: should be less than or equal to 200"]),
    ("quota_share: 95", ["2: quota_share: should be less than or equal to 1"]),
    ("retry: [1s, soon]", ['2: retry[1]: must be a number with a unit, such as "500ms"…']),
    ("retry: [1s, 9h]", ["2: retry[1]: must be 8h at most: a longer wait…"]),
    ("pauses: {quota: never}", ['2: pauses.quota: must be a number with a unit, such as "500ms"…']),
    ("skew: {batch: 0}", ["2: skew.batch: should be greater than or equal to 1"]),
    (
        "organization_salesforce_id: sfdc",
        ["2: organization_salesforce_id: must be salesforce_id, the field of organizations.fields wh…"],
    ),
    ("lookup_lifetime: -1m", ['2: lookup_lifetime: must be a number with a unit, such as "500ms"…']),
]
RECORDS: Table = [
    (
        "ticket_record:\n  object: 'Zendesk Ticket'",
        ["3: ticket_record.object: must be the API name of an object or a field, such as Type or Zen…"],
    ),
    (
        "ticket_record: {write_on: [made]}",
        ["2: ticket_record.write_on[0]: is none of the allowed values; allowed: 'created', 'solved',…"],
    ),
    (
        "ticket_record: {deleted: drop}",
        ["2: ticket_record.deleted: is none of the allowed values; allowed: 'keep', 'mark' or 'delete'"],
    ),
    (
        "ticket_record:\n  fields:\n    S__c: {source: subjekt}",
        ["4: ticket_record.fields.S__c.source: must be one of: account_id, account_match…"],
    ),
    (
        "ticket_record:\n  fields:\n    S__c: {source: 'custom_field:severity'}",
        ["4: ticket_record.fields.S__c.source: must be one of: account_id, account_match…"],
    ),
    (
        "ticket_record:\n  fields:\n    S__c: {source: subject, type: string}",
        ["4: ticket_record.fields.S__c.type: is none of the allowed values; allowed: 'text', 'long_t…"],
    ),
    (
        ("ticket_record:\n  fields:\n    S__c: {source: subject, type: number, max_length: 3, decimals: 99}"),
        ["4: ticket_record.fields.S__c.decimals: should be less than or equal to 18"],
    ),
    (
        ("ticket_record:\n  fields:\n    S__c: {source: subject, type: number, max_length: 3, unfit: cut}"),
        [
            "4: ticket_record.fields.S__c.max_length: means nothing for number; it is for text, long_te…",
            "4: ticket_record.fields.S__c.unfit: cut is for text, not for number; allowed: omit, null",
        ],
    ),
    (
        "ticket_record:\n  fields:\n    S__c: {source: subject, empty: clear}",
        ["4: ticket_record.fields.S__c.empty: is none of the allowed values; allowed: 'omit' or 'null'"],
    ),
    (
        ("ticket_record:\n  fields:\n    S__c: {source: status, type: picklist, otherwise: Other}"),
        ["4: ticket_record.fields.S__c.otherwise: needs values: it is the word for what they do not have"],
    ),
    (
        ("ticket_record:\n  fields:\n    S__c: {source: account_id, type: reference, key_prefix: '01'}"),
        ["4: ticket_record.fields.S__c.key_prefix: must be three letters or digits, such as 001"],
    ),
    (
        "ticket_record:\n  fields:\n    S__c:\n      type: text",
        ["4: ticket_record.fields.S__c.source: is missing"],
    ),
    (
        "ticket_record:\n  fields:\n    Zendesk_Ticket_ID__c: {source: ticket_id}",
        ["4: ticket_record.fields.Zendesk_Ticket_ID__c: is the external id: it is always sent, do no…"],
    ),
    ("ticket_record:\n  fields: {}", ["3: ticket_record.fields: needs at least one entry"]),
    (
        "ticket_record:\n  external_id_prefix: 'a b'",
        ["3: ticket_record.external_id_prefix: must be at most 40 letters, digits, and any of . _ : -"],
    ),
    (
        "ticket_record:\n  comments: {enabled: maybe}",
        ["3: ticket_record.comments.enabled: must be true or false"],
    ),
    (
        "ticket_record:\n  comments: {max_length: 0}",
        ["3: ticket_record.comments.max_length: should be greater than or equal to 1"],
    ),
]
MATCHING: Table = [
    (
        "matching: {contact: {ambiguous: newest}}",
        ["2: matching.contact.ambiguous: is none of the allowed values; allowed: 'oldest' or 'leave_out'"],
    ),
    (
        "matching: {account: {by_names: true}}",
        ['2: matching.account.by_names: is not known; did you mean "by_name"?'],
    ),
    (
        "matching: {account: {owner: {name: 'Owner..Name'}}}",
        ["2: matching.account.owner.name: must be the API name of a field, or of a parent's field, s…"],
    ),
]
ORGANIZATIONS: Table = [
    (
        "organizations: {every: hourly}",
        ['2: organizations.every: must be a number with a unit, such as "500ms"…'],
    ),
    ("organizations: {types: []}", ["2: organizations.types: needs at least one entry"]),
    (
        "organizations: {create_on: [nightly]}",
        ["2: organizations.create_on[0]: is none of the allowed values; allowed: 'delta', 'full' or…"],
    ),
    (
        "organizations: {relink: always}",
        ["2: organizations.relink: is none of the allowed values; allowed: 'propose' or 'apply'"],
    ),
    (
        "organizations: {protected: [abc]}",
        ["2: organizations.protected[0]: must be the id of an organization in Zendesk: digits"],
    ),
    (
        "organizations: {salesforce_org_id: 001D000000IqhSLIAZ}",
        ["2: organizations.salesforce_org_id: must be the org's id, which begins with 00D"],
    ),
    (
        (
            "organizations:\n  fields:\n    salesforce_id: {source: Id}\n    support_level: {sou"
            "rce: L__c, type: dropdown}"
        ),
        ["5: organizations.fields.support_level.values: a dropdown needs its labels and tags, and no…"],
    ),
    (
        ("organizations:\n  fields:\n    support_level: {source: L__c, type: dropdown, values: {A: a}}"),
        ["3: organizations.fields: needs one field with the source Id, such as salesforce_id: links…"],
    ),
    (
        (
            "organizations:\n  fields:\n    salesforce_id: {source: Id}\n    support_level: {sou"
            "rce: L__c, type: dropdown, values: {Gold Plan: 'Gold Plan'}}"
        ),
        ["5: organizations.fields.support_level.values.Gold Plan: must be an option's tag: lower-cas…"],
    ),
    (
        (
            "organizations:\n  fields:\n    salesforce_id: {source: Id}\n    support_level: {sou"
            "rce: L__c, type: dropdown, values: {A: a}}\n    n: {source: N__c, places: 2, true"
            "_when: [x]}"
        ),
        [
            "6: organizations.fields.n.places: means nothing for text; it is for decimal",
            "6: organizations.fields.n.true_when: means nothing for text; it is for checkbox",
        ],
    ),
    (
        "organizations:\n  plan: {field: account_owner}",
        ["3: organizations.plan.field: must be one of `fields`, of type dropdown"],
    ),
    (
        "organizations:\n  plan: {ends: End__c, expired: Gone}",
        ["3: organizations.plan.expired: is no label of support_level; allowed: Basic, Premium, Cust…"],
    ),
    (
        "organizations:\n  plan: {expired_sets: {arr: 0}}",
        ["3: organizations.plan.expired_sets.arr: is not one of `fields`; allowed: aar, account_owner…"],
    ),
    (
        "organizations:\n  marked: salesforce_id",
        ["2: organizations.fields.salesforce_id: is the mark of organizations without an account, an…"],
    ),
    (
        "organizations:\n  brake: {fields: {arr: {absolute: 1, share: 1}}}",
        ["3: organizations.brake.fields.arr: is not one of `fields`; allowed: aar, account_owner…"],
    ),
    (
        "organizations:\n  brake: {blanks: {absolute: 1, share: 5}}",
        ["3: organizations.brake.blanks.share: should be less than or equal to 1"],
    ),
    (
        "organizations:\n  brake: {blank: {absolute: 1, share: 0.5}}",
        ['3: organizations.brake.blank: is not known; did you mean "blanks"?'],
    ),
    ("organizations: {quota_share: 0}", ["2: organizations.quota_share: should be greater than 0"]),
]
INTEGRITY: Table = [
    (
        "organizations: {integrity: {every: 1x}}",
        ['2: organizations.integrity.every: must be a number with a unit, such as "500ms"…'],
    ),
    (
        "organizations: {integrity: {product: 'Product c'}}",
        ["2: organizations.integrity.product: must be the API name of a field, or of a parent's fiel…"],
    ),
    (
        "organizations: {integrity: {dotcom: GitLab.com}}",
        ["2: organizations.integrity.dotcom: must be a list"],
    ),
    (
        "organizations: {integrity: {ignore_file: nowhere.yaml}}",
        ["2: organizations.integrity.ignore_file: there is no file nowhere.yaml beside the rules"],
    ),
    (
        "organizations: {overrides_file: nowhere.yaml}",
        ["2: organizations.overrides_file: there is no file nowhere.yaml beside the rules"],
    ),
]
SHARING: Table = [
    (
        "sharing: {acceptance: {phrases: [], tags: []}}",
        ["2: sharing.acceptance: needs a phrase or a tag: without, no request could ever be accepted"],
    ),
    (
        "sharing: {acceptance: {tags: ['A B']}}",
        ["2: sharing.acceptance.tags[0]: must be a tag: lower-case letters, digits and underscores"],
    ),
    ("sharing: {patience: week}", ['2: sharing.patience: must be a number with a unit, such as "500ms"…']),
    (
        "sharing: {comment: {applied: 'Shared {who}'}}",
        ["2: sharing.comment.applied: what stands in braces must be one of: {reference}, {organizati…"],
    ),
    (
        "sharing: {comment: {undone: 'Undone'}}",
        ["2: sharing.comment.undone: must hold {reference}: by it we know that the comment is there…"],
    ),
    (
        "sharing: {ticket_updates_per_minute: 0}",
        ["2: sharing.ticket_updates_per_minute: should be greater than or equal to 1"],
    ),
    ("sharing: {follow_membership: 7}", ["2: sharing.follow_membership: must be true or false"]),
    (
        "sharing: {forbidding_notes: [x]}",
        ["2: sharing.forbidding_notes[0]: string should have at least 3 characters"],
    ),
]


def load(folder: Path, section: str) -> SfdcPolicy:
    """Rules whose section begins in line 2."""
    rules = folder / "rules.yaml"
    rules.write_text("sfdc_sync:\n" + "".join(f"  {line}\n" for line in section.splitlines()))
    return POLICY.load(rules)


def mistakes(folder: Path, section: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(folder, section)
    return [problem.replace(f"{folder}/", "") for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("section", "told"), [*TOP, *RECORDS, *MATCHING, *ORGANIZATIONS, *INTEGRITY, *SHARING]
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(
    tmp_path: Path, section: str, told: list[str]
) -> None:
    found = mistakes(tmp_path, section)
    for problem, wanted in zip(found, told, strict=True):
        line, _, words = wanted.partition(": ")
        assert problem.startswith(f"rules.yaml:{line}: sfdc_sync.{words.removesuffix('…')}")
        assert wanted.endswith("…") or problem.endswith(words)


GOOD = "- {account: 001D000000IqhSLIAZ, set: {aar: 1}, reason: agreed, reviewed_by: Ada, until: 2027-01-01}\n"
FIELDS = "aar, account_owner, account_type, market_segment, sales_segmentation, salesforce_id"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1", ["1: must be a list of entries"]),
        ("- [", ["1: is not YAML"]),
        ("- 5", ["1: [0]: must be a mapping of keys and values"]),
        ("- {until: 1, until: 2}", ["1: [0].until: is given twice, first in line 1"]),
        (GOOD.replace("SLIAZ", "SL"), ["1: [0].account: must be an account's id of 18 characters"]),
        (GOOD.replace("reviewed_by: Ada, ", ""), ["1: [0].reviewed_by: is missing"]),
        (GOOD.replace("until:", "till: 1, until:"), ['1: [0].till: is not known; did you mean "until"?']),
        (GOOD.replace("2027-01-01", "soon"), ["1: [0].until: should be a valid date"]),
        (GOOD.replace("{aar: 1}", "{}"), ["1: [0].set: "]),
        (
            f"{GOOD}- account: 001D000000IqhSLIAZ\n  set: {{arr: 1}}\n  reason: agreed\n"
            "  reviewed_by: Ada\n  until: 2027-01-01\n",
            [
                f"3: [1].set.arr: is not one of organizations.fields; allowed: {FIELDS}",
                "2: [1].account: is listed in line 1 already",
            ],
        ),
    ],
)
def test_mistakes_in_reviewed_values(tmp_path: Path, text: str, told: list[str]) -> None:
    (tmp_path / "reviewed.yaml").write_text(text)
    found = mistakes(tmp_path, "organizations: {overrides_file: reviewed.yaml}")
    for problem, wanted in zip(found, told, strict=True):
        assert problem.startswith(f"reviewed.yaml:{wanted}")


def test_mistakes_in_ignored_findings(tmp_path: Path) -> None:
    entry = "- {{report: {report}, about: '{about}', reason: our own, until: 2027-01-01}}\n"
    section = "organizations: {integrity: {ignore_file: ignored.yaml}}"
    ignored = tmp_path / "ignored.yaml"
    ignored.write_text(entry.format(report="marked", about="*") + entry.format(report="nothing", about="1"))
    (told,) = mistakes(tmp_path, section)
    assert told.startswith("ignored.yaml:2: [1].report: is no report; allowed: support_level_mismatch, ")
    ignored.write_text(entry.format(report="marked", about="a b"))
    assert mistakes(tmp_path, section) == [
        "ignored.yaml:1: [0].about: must be an id, or * for all of the report"
    ]


def test_what_is_right_is_taken(tmp_path: Path) -> None:
    (tmp_path / "reviewed.yaml").write_text(GOOD)
    (tmp_path / "ignored.yaml").write_text("")
    files = "overrides_file: reviewed.yaml\n  integrity: {ignore_file: ignored.yaml}"
    assert load(tmp_path, f"organizations:\n  {files}").organizations.overrides_file == Path("reviewed.yaml")
