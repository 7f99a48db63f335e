"""Who is asked (handbook C3, C4, C7): one row per case."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from csat.asking.rules import Facts, FreshTicket, decide
from csat.settings import CsatRules

SOLVED = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ASKABLE = FreshTicket(
    status="solved",
    organization="Acme",
    tags=frozenset({"vip"}),
    satisfaction="unoffered",
    last_solved_at=SOLVED,
)


@dataclass(frozen=True)
class Overrides:
    """A policy other than the handbook's."""

    excluded_organizations: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("ticket", "rule"),
    [
        (ASKABLE, "send"),
        (None, "deleted"),
        (replace(ASKABLE, status="deleted"), "deleted"),
        (replace(ASKABLE, status="closed"), "closed"),
        (replace(ASKABLE, status="archived"), "closed"),
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
    ],
)
def test_each_rule(ticket: FreshTicket | None, rule: str) -> None:
    decision = decide(Facts(SOLVED, None, ticket), CsatRules())
    assert (decision.rule, decision.send) == (rule, rule == "send")
    assert decision.reason


def test_a_ticket_is_surveyed_once_ever() -> None:
    decision = decide(Facts(SOLVED, SOLVED - timedelta(days=9), ASKABLE), CsatRules())
    assert (decision.send, decision.rule) == (False, "already_surveyed")
    assert "2026-02-20" in decision.reason


def test_the_first_objection_is_the_one_kept() -> None:
    wrong_in_all_ways = replace(
        ASKABLE, status="closed", satisfaction="bad", organization="GitLab", tags=frozenset({"spam_ticket"})
    )
    assert decide(Facts(SOLVED, None, wrong_in_all_ways), CsatRules()).rule == "closed"


def test_organizations_and_tags_are_the_policys() -> None:
    policy = Overrides(excluded_organizations=("Acme",), excluded_tags=("vip",))
    assert decide(Facts(SOLVED, None, ASKABLE), policy).rule == "excluded_organization"
    assert decide(Facts(SOLVED, None, replace(ASKABLE, organization=None)), policy).rule == "excluded_tag"
    internal = replace(ASKABLE, organization="GitLab", tags=frozenset())
    assert decide(Facts(SOLVED, None, internal), policy).send
