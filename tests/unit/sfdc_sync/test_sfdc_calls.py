"""Which records go into which call."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.matching.matcher import Match
from sfdc_sync.matching.rules import Account, AccountMatch, AccountRule
from sfdc_sync.policy.ticket_records import SkewPolicy
from sfdc_sync.ticket_records.batch import in_calls
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.facts import TicketFacts

SKEW = SkewPolicy(records=100, batch=2)


def facts(accounts: list[str]) -> list[TicketFacts]:
    """A ticket per account id; an empty one is no account."""
    return [
        TicketFacts(
            Ticket(str(number), {}, "v", 1, erased=False, written=0),
            {},
            Match(AccountMatch(Account(name, name) if name else None, AccountRule.NAME)),
        )
        for number, name in enumerate(accounts)
    ]


def shapes(accounts: list[str], skewed: set[str] | None = None, batch: int = 4) -> list[str]:
    calls = in_calls(facts(accounts), skewed or set(), batch=batch, skew=SKEW)
    return ["".join(each.account_id or "-" for each in call) for call in calls]


def test_neighbours_of_one_account_share_a_call() -> None:
    assert shapes(["b", "a", "b", "a"]) == ["aabb"]


def test_an_account_is_not_split_where_it_fits_into_one_call() -> None:
    assert shapes(["a", "a", "a", "b", "b"]) == ["aaa", "bb"]


def test_tickets_without_an_account_fill_up() -> None:
    assert shapes(["", "", "", "", "", "a"]) == ["----", "-a"]


def test_an_account_that_is_larger_than_a_call_takes_several() -> None:
    assert shapes(["a"] * 9) == ["aaaa", "aaaa", "a"]


def test_a_skewed_account_has_small_calls_of_its_own() -> None:
    assert shapes(["a", "b", "b", "b"], {"b"}) == ["bb", "b", "a"]


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=30), st.sets(st.sampled_from(["a", "b"])))
def test_every_record_is_in_one_call_and_no_account_is_split_without_need(
    accounts: list[str], skewed: set[str]
) -> None:
    calls = in_calls(facts(accounts), skewed, batch=4, skew=SKEW)
    sent = [each.ticket.ticket_id for call in calls for each in call]
    assert sorted(sent, key=int) == [str(number) for number in range(len(accounts))]
    assert all(len(call) <= 4 for call in calls)
    for name, count in Counter(accounts).items():
        holding = [call for call in calls if any(each.account_id == name for each in call)]
        if name in skewed:
            assert all(len(call) <= SKEW.batch for call in holding)
        elif name and count <= 4:
            assert len(holding) == 1
