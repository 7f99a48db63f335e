"""Who is asked (docs/rules.md C3-C8): one row per case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from csat.policy.csat import CsatPolicy
from csat.surveys.exclusion_rules import (
    RULES,
    DecisionInput,
    DecisionTime,
    FreshTicket,
    Requester,
    decide,
    lot_of,
)
from tests.support.for_each import for_each

SOLVED = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
DUE = SOLVED + timedelta(days=1)
ASKABLE = FreshTicket(
    status="solved",
    organization="Acme",
    tags=frozenset({"vip"}),
    satisfaction="unoffered",
    last_solved_at=SOLVED,
    recipient="support@acme.example",
)
FOLLOW_UP = replace(ASKABLE, is_follow_up=True, tags=frozenset({"close_by_merge", "csat_survey_sent"}))


def about(ticket: FreshTicket | None, **values: object) -> DecisionInput:
    return replace(DecisionInput(SOLVED, None, ticket), **values)  # type: ignore[arg-type]


@for_each(
    "ticket, rule",
    [
        (ASKABLE, "send"),
        (None, "deleted"),
        (replace(ASKABLE, status="deleted"), "deleted"),
        (replace(ASKABLE, status="closed"), "closed"),
        (replace(ASKABLE, status="archived"), "closed"),
        (replace(ASKABLE, status="scrubbed"), "closed"),
        (replace(ASKABLE, status="open"), "reopened"),
        (replace(ASKABLE, status="pending"), "reopened"),
        (replace(ASKABLE, status="hold"), "reopened"),
        (replace(ASKABLE, status="new"), "reopened"),
        (replace(ASKABLE, last_solved_at=SOLVED + timedelta(seconds=6)), "solved_again"),
        (replace(ASKABLE, last_solved_at=SOLVED + timedelta(seconds=5)), "send"),
        (replace(ASKABLE, last_solved_at=SOLVED - timedelta(days=1)), "send"),
        (replace(ASKABLE, last_solved_at=None), "send"),
        (replace(ASKABLE, satisfaction="offered"), "satisfaction_offered"),
        (replace(ASKABLE, satisfaction="good"), "satisfaction_offered"),
        (replace(ASKABLE, satisfaction="bad"), "satisfaction_offered"),
        (replace(ASKABLE, satisfaction=None), "send"),
        (replace(ASKABLE, organization="GitLab"), "excluded_organization"),
        (replace(ASKABLE, organization="GitLab Inc."), "send"),
        (replace(ASKABLE, organization="GitLab BV"), "send"),
        (replace(ASKABLE, organization="GitLab Ltd"), "send"),
        (replace(ASKABLE, organization="gitlab"), "send"),
        (replace(ASKABLE, organization="GitLab "), "send"),
        (replace(ASKABLE, organization=None), "send"),
        (replace(ASKABLE, tags=frozenset({"pending_old", "vip"})), "excluded_tag"),
        (replace(ASKABLE, tags=frozenset({"spam_ticket"})), "excluded_tag"),
        (replace(ASKABLE, tags=frozenset({"spam_ticket_no", "not_pending_old"})), "send"),
        (replace(ASKABLE, tags=frozenset({"csat_survey_sent"})), "send"),  # inherited by a follow-up
        (replace(ASKABLE, tags=frozenset({"free_customer", "com_embargo"})), "send"),  # C8 is off
        (replace(ASKABLE, tags=frozenset({"close_by_merge"})), "merged"),
        (replace(ASKABLE, merged_at=SOLVED), "merged"),
        (FOLLOW_UP, "send"),
        (replace(FOLLOW_UP, merged_at=SOLVED), "merged"),
        (replace(ASKABLE, recipient="mail-list@gitlab.com"), "excluded_recipient"),
        (replace(ASKABLE, recipient="Mail-List@GitLab.com"), "excluded_recipient"),
        (replace(ASKABLE, recipient="not-mail-list@gitlab.com"), "send"),
        (replace(ASKABLE, is_public=False), "private"),
        (replace(ASKABLE, is_public=None), "send"),
        (replace(ASKABLE, requester_suspended=True), "requester_suspended"),
        (replace(ASKABLE, requester_deleted=True), "requester_deleted"),
        (replace(ASKABLE, recipient=None), "send"),
        (replace(ASKABLE, recipient=""), "send"),
    ],
)
def test_each_rule_of_the_handbook(ticket: FreshTicket | None, rule: str) -> None:
    decision = decide(about(ticket), CsatPolicy())
    assert (decision.rule, decision.send) == (rule, rule == "send")
    assert decision.reason


MONTH = timedelta(days=30)
WEEK_LATE = DecisionTime(DUE + timedelta(days=7), DUE, DUE + timedelta(days=7))


@for_each(
    "values, policy, rule",
    [
        ({"requester": Requester(opted_out_at=SOLVED)}, {}, "opted_out"),
        ({"requester": Requester(asked_at=DUE)}, {}, "send"),
        ({"requester": Requester(asked_at=DUE)}, {"once_per": MONTH}, "asked_recently"),
        ({"requester": Requester(asked_at=WEEK_LATE.now - MONTH)}, {"once_per": MONTH}, "send"),
        ({}, {"once_per": MONTH}, "send"),
        ({"sampling_value": 0.25}, {"sampling_share": 0.25}, "sampled_out"),
        ({"sampling_value": 0.2499}, {"sampling_share": 0.25}, "send"),
        ({"sampling_value": 0.9999}, {}, "send"),
        ({"sampling_value": 0.0}, {"sampling_share": 0}, "sampled_out"),
        ({"moment": replace(WEEK_LATE, now=WEEK_LATE.deadline + timedelta(seconds=1))}, {}, "too_late"),
        ({"moment": WEEK_LATE}, {}, "send"),
    ],
)
def test_rules_beyond_the_handbook(values: dict[str, object], policy: dict[str, object], rule: str) -> None:
    decision = decide(about(ASKABLE, **{"moment": WEEK_LATE} | values), CsatPolicy.model_validate(policy))
    assert (decision.rule, decision.send) == (rule, rule == "send")
    assert decision.reason


def test_a_ticket_is_surveyed_once_ever() -> None:
    decision = decide(about(ASKABLE, asked_at=SOLVED - timedelta(days=9)), CsatPolicy())
    assert (decision.send, decision.rule) == (False, "already_surveyed")
    assert "2026-02-20" in decision.reason


CURES = {
    "closed": {"status": "open"},
    "reopened": {"status": "solved"},
    "solved_again": {"last_solved_at": SOLVED},
    "satisfaction_offered": {"satisfaction": "unoffered"},
    "excluded_organization": {"organization": "Acme"},
    "excluded_tag": {"tags": frozenset({"close_by_merge"})},
    "merged": {"tags": frozenset()},
    "excluded_recipient": {"recipient": None},
    "private": {"is_public": True},
    "requester_deleted": {"requester_deleted": False},
    "requester_suspended": {"requester_suspended": False},
}
WRONG_IN_ALL_WAYS = FreshTicket(
    status="closed",
    organization="GitLab",
    tags=frozenset({"spam_ticket", "close_by_merge"}),
    satisfaction="bad",
    last_solved_at=DUE,
    recipient="mail-list@gitlab.com",
    is_public=False,
    requester_suspended=True,
    requester_deleted=True,
)


def test_the_first_objection_is_the_one_kept() -> None:
    """One wrong after the other is put right: the rules object in exactly their order."""
    policy = CsatPolicy(once_per=MONTH, sampling_share=0.5)
    late = replace(WEEK_LATE, now=WEEK_LATE.deadline + timedelta(days=1))
    ticket, facts = WRONG_IN_ALL_WAYS, about(None, moment=late, sampling_value=0.9)
    facts = replace(facts, requester=Requester(opted_out_at=DUE, asked_at=DUE))
    found = ["deleted"]
    for rule, cure in CURES.items():
        found.append(decide(replace(facts, ticket=ticket), policy).rule)
        assert found[-1] == rule
        ticket = replace(ticket, **cure)  # type: ignore[arg-type]
    facts = replace(facts, ticket=ticket)
    found.append(decide(facts, policy).rule)
    facts = replace(facts, requester=Requester(asked_at=DUE))
    found.append(decide(facts, policy).rule)
    facts = replace(facts, requester=Requester())
    found.append(decide(facts, policy).rule)
    facts = replace(facts, sampling_value=0.0)
    found.append(decide(facts, policy).rule)
    assert found == [name for name, _ in RULES]
    assert decide(replace(facts, moment=WEEK_LATE), policy).send


def test_organizations_tags_and_recipients_are_the_policys() -> None:
    policy = CsatPolicy(
        excluded_organizations=("Acme",), excluded_tags=("vip",), merge_tag="folded", excluded_recipients=()
    )
    assert decide(about(ASKABLE), policy).rule == "excluded_organization"
    assert decide(about(replace(ASKABLE, organization=None)), policy).rule == "excluded_tag"
    internal = replace(ASKABLE, organization="GitLab", tags=frozenset({"close_by_merge"}))
    assert decide(about(replace(internal, recipient="mail-list@gitlab.com")), policy).send
    assert decide(about(replace(internal, tags=frozenset({"folded"}))), policy).rule == "merged"
    assert decide(about(replace(ASKABLE, is_public=False)), CsatPolicy(survey_private=True)).send


def test_the_draw_is_even_and_always_the_same() -> None:
    lots = [lot_of(f"{number}:2026-03-01T10:00:00.000000Z") for number in range(4000)]
    assert lots == [lot_of(f"{number}:2026-03-01T10:00:00.000000Z") for number in range(4000)]
    assert all(0 <= sampling_value < 1 for sampling_value in lots)
    assert abs(sum(sampling_value < 0.25 for sampling_value in lots) / 4000 - 0.25) < 0.03
