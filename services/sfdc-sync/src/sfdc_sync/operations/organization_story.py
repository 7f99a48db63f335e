"""The story of an account and its organization: link and rule, both sides' values, rows of runs, findings, marks.

Read from our own tables alone: what Zendesk and Salesforce showed when they were read last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.organizations.links import domain_problem
from sfdc_sync.organizations.model import FIELD, Action, Value, same
from sfdc_sync.organizations.repository import changes_of, held_of
from sfdc_sync.salesforce.names import folded
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.tables import account_merges, accounts, integrity_findings, organizations, sync_rows, sync_runs
from supportops.operations.delivery_history import Row, rows_of
from supportops.operations.timeline import Explanation, Line, explanation, when

LAST = 100
"""Rows of runs that a story tells, the newest; `sync rows ID` has all of 30 days."""
_A, _O, _W, _F, _M = accounts, organizations, sync_rows, integrity_findings, account_merges
_LINKING = frozenset({Action.CREATE, Action.ADOPT, Action.RELINK})


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose story is asked for: an account by its id of 18 characters, or an organization by its digits."""

    kind: Literal["account", "organization"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True)
class Story:
    """What is known. `rows` the newest last, each with the `kind` of its run; `findings` open and gone; `merges` of
    accounts, undone ones too.
    """

    about: Subject
    accounts: Sequence[Row]
    organizations: Sequence[Row]
    rows: Sequence[Row]
    findings: Sequence[Row]
    merges: Sequence[Row] = ()

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.accounts or self.organizations or self.rows or self.findings or self.merges)

    @property
    def name(self) -> str:
        """What it is called now, or was when a run last met it."""
        own = self.accounts if self.about.kind == "account" else self.organizations
        found = [*self.rows, *self.accounts, *self.organizations, *own]
        return str(found[-1]["name"]) if found else ""


def subject_of(text: str) -> Subject | None:
    """Whom `text` names: `organization:ID`, `account:ID`, digits, or a Salesforce id in any form; None: nobody."""
    kind, _, key = text.strip().rpartition(":")
    if kind in ("", "organization") and key.isascii() and key.isdigit() and len(key) <= 20:
        return Subject("organization", key)
    if kind in ("", "account") and (account_id := normalise(key)):
        return Subject("account", account_id)
    return None


async def story_of(conn: AsyncConnection, about: Subject) -> Story:
    """Everything about `about` and whom it is linked with."""
    if about.kind == "account":
        mine = await rows_of(conn, select(_A).where(_A.c.account_id == about.id))
        ids = [each["organization_id"] for each in mine if each["organization_id"]]
        where = or_(_O.c.account_id == about.id, _O.c.organization_id.in_(ids))
        theirs = await rows_of(conn, select(_O).where(where).order_by(_O.c.organization_id))
    else:
        theirs = await rows_of(conn, select(_O).where(_O.c.organization_id == about.id))
        ids = [each["account_id"] for each in theirs if each["account_id"]]
        where = or_(_A.c.organization_id == about.id, _A.c.account_id.in_(ids))
        mine = await rows_of(conn, select(_A).where(where).order_by(_A.c.account_id))
    account_ids = {each["account_id"] for each in mine}
    organization_ids = {each["organization_id"] for each in theirs}
    (account_ids if about.kind == "account" else organization_ids).add(about.id)
    query = select(_W, sync_runs.c.kind).outerjoin(sync_runs, sync_runs.c.run_id == _W.c.run_id)
    met = or_(_W.c.account_id.in_(account_ids), _W.c.organization_id.in_(organization_ids))
    newest = query.where(met).order_by(_W.c.at.desc(), _W.c.position.desc()).limit(LAST)
    found = or_(_F.c.account_id.in_(account_ids), _F.c.organization_id.in_(organization_ids))
    findings = select(_F).where(found).order_by(_F.c.first_seen, _F.c.report, _F.c.finding)
    rows = [*reversed(await rows_of(conn, newest))]
    merged = or_(_M.c.loser_id.in_(account_ids), _M.c.winner_id.in_(account_ids))
    merges = await rows_of(conn, select(_M).where(merged).order_by(_M.c.seen_at, _M.c.loser_id))
    return Story(about, mine, theirs, rows, await rows_of(conn, findings), merges)


def explained(story: Story, now: datetime) -> Explanation:
    """The story as the command line and programs read it."""
    lines = [_row_line(row) for row in story.rows]
    for each in story.findings:
        words = f"{each['report']} ({each['severity']}): {_values(each)}"
        lines.append(Line(each["first_seen"], "finding", words))
        if each["gone_since"] is not None:
            lines.append(Line(each["gone_since"], "finding gone", each["report"]))
    for each in story.merges:
        lines.append(Line(each["seen_at"], "accounts merged", _merge_words(each)))
        if each["undone_at"] is not None:
            lines.append(Line(each["undone_at"], "account is back", each["loser_id"]))
    document = {
        "subject": {"kind": story.about.kind, "id": story.about.id, "name": story.name},
        "accounts": story.accounts,
        "organizations": [
            _without(each, "held", "wanted", "domains")
            | {"domains": orjson.loads(each["domains"]), "values": values_of(each, story.rows)}
            for each in story.organizations
        ],
        "rows": [{**each, "changes": orjson.loads(each["changes"])} for each in story.rows],
        "findings": story.findings,
        "merges": story.merges,
    }
    told = explanation([], now, standing(story), lines, document)
    return replace(told, known=story.known, title=str(story.about))


def standing(story: Story) -> dict[str, str]:
    """How both sides stand, in words."""
    found = {f"account {each['account_id']}": _account_words(each) for each in story.accounts}
    found |= {
        f"organization {each['organization_id']}": _organization_words(each) for each in story.organizations
    }
    found["link"] = link_words(story)
    for account, organization in _pairs(story):
        found[f"rules of {organization['organization_id']}"] = rules_words(story, account, organization)
    if live := [_merge_words(each) for each in story.merges if each["undone_at"] is None]:
        found["merged"] = "; ".join(live)
    for each in story.organizations:
        wrong = [value["field"] for value in values_of(each, story.rows) if value["agrees"] is False]
        if wrong:
            found[f"differs in {each['organization_id']}"] = ", ".join(wrong)
    live = [each["report"] for each in story.findings if is_open(each)]
    found["open findings"] = ", ".join(live) or "none"
    return found


def link_words(story: Story) -> str:
    """What links the two, and by which rule (docs/rules.md S6)."""
    pairs = [
        (account["account_id"], organization["organization_id"]) for account, organization in _pairs(story)
    ]
    last = story.rows[-1] if story.rows else None
    conflict = f"; conflict by the rule {last['rule']}" if last and last["action"] == Action.CONFLICT else ""
    if not pairs:
        return f"none: no organization holds a known account's id{conflict}"
    rules = [row["rule"] for row in story.rows if row["action"] in _LINKING and row["state"] == "done"]
    made = f"; made by the rule {rules[-1]}" if rules else ""
    told = ", ".join(f"organization {theirs} holds the id of account {mine}" for mine, theirs in pairs)
    return f"{told} (rule salesforce_id){made}{conflict}"


def rules_words(story: Story, account: Row, organization: Row) -> str:
    """The four rules of a link, each judged by itself (docs/rules.md S6): by what was read last, and by findings."""
    broken: dict[str, list[str]] = {"salesforce_id": [], "back_reference": [], "name": [], "domain": []}
    if folded(account["name"]) != folded(organization["name"]):
        broken["name"].append(f"{account['name']} / {organization['name']}")
    told = ((each, domain_problem(each)) for each in orjson.loads(organization["domains"]))
    broken["domain"] += [f"{domain} {problem}" for domain, problem in told if problem]
    for each in story.findings:
        rule = _RULES.get(each["report"])
        mine = each["organization_id"] == organization["organization_id"] and is_open(each)
        if mine and rule is not None and not broken[rule]:
            broken[rule].append(_values(each))
    words = {True: "holds", False: "does not hold"}
    found = [
        f"{rule} {words[not wrong]}" + (f" ({', '.join(wrong)})" if wrong else "")
        for rule, wrong in broken.items()
    ]
    return "; ".join(found)


_RULES: Mapping[str, str] = {"link_broken": "back_reference", "domain_malformed": "domain"}
"""Reports, and the rule of a link that one of their findings breaks."""


def _pairs(story: Story) -> list[tuple[Row, Row]]:
    """Accounts with the living organizations that hold their ids."""
    return [
        (account, organization)
        for organization in story.organizations
        for account in story.accounts
        if organization["account_id"] == account["account_id"] and organization["deleted_at"] is None
    ]


def values_of(organization: Row, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each mapped field: what Zendesk showed, what was last known to be right, whether they agree (None: unknown).

    What a run of `rows` has written since Zendesk was read counts as shown.
    """
    held = held_of(organization) | _written_since(organization, rows)
    wanted: Mapping[str, Value] | None = (
        orjson.loads(organization["wanted"]) if organization["wanted"] else None
    )
    return [
        {
            "field": key,
            "zendesk": held.get(key),
            "right": wanted[key] if wanted and key in wanted else None,
            "agrees": same(held.get(key), wanted[key]) if wanted and key in wanted else None,
        }
        for key in sorted({*held, *(wanted or {})})
    ]


def change_words(row: Row) -> list[str]:
    """The changes of a row of a run, a phrase each."""
    return [
        f"{each.key.removeprefix(FIELD)}: {_shown(each.before)} → {_shown(each.after)}"
        for each in changes_of(row["changes"])
    ]


def is_open(finding: Row) -> bool:
    """Whether a finding is there and counts."""
    return finding["gone_since"] is None and finding["ignored"] is None


def _written_since(organization: Row, rows: Sequence[Row]) -> dict[str, Value]:
    return {
        each.key.removeprefix(FIELD): each.after
        for row in rows
        if row["organization_id"] == organization["organization_id"]
        and row["state"] == "done"
        and row["at"] > organization["seen_at"]
        for each in changes_of(row["changes"])
        if each.key.startswith(FIELD)
    }


def _merge_words(merge: Row) -> str:
    return f"{merge['loser_id']} into {merge['winner_id']}"


def _row_line(row: Row) -> Line:
    parts = [f"{row['state']}, rule {row['rule']}" if row["rule"] else row["state"], *change_words(row)]
    parts += [row[name] for name in ("reason", "sla") if row[name]]
    return Line(row["at"], f"{row['kind'] or 'run'}: {row['action']}", "; ".join(parts))


def _account_words(row: Row) -> str:
    parts = [row["name"], "gets an organization" if row["wanted"] else "of no configured type"]
    parts += [f"waits for the next run: {row['refused']}"] if row["refused"] else []
    parts += orjson.loads(row["notes"]) if row["notes"] else []
    return f"{'; '.join(parts)}; read {when(row['seen_at'])}"


def _organization_words(row: Row) -> str:
    parts = [row["name"]]
    if row["marked"]:
        parts.append("marked for review: its account is gone")
    if row["deleted_at"] is not None:
        parts.append(f"not in Zendesk any more since {when(row['deleted_at'])}")
    if row["stale"]:
        parts.append("changed since, is read again in the next run")
    return f"{'; '.join(parts)}; seen {when(row['seen_at'])}"


def _values(finding: Row) -> str:
    return f"Salesforce {_shown(finding['salesforce_value'])}, Zendesk {_shown(finding['zendesk_value'])}"


def _shown(value: Value) -> str:
    return "empty" if same(None, value) and value is not False else str(value)


def _without(row: Row, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
