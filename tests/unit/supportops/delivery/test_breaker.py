"""When a destination is left alone and when it is tried again: the state machine, step by step."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportops.delivery import Cancel, Discard, Done, Snooze, TryAgain, Unknown
from supportops.delivery.outages.breaker import (
    BUG_ROWS,
    OUTAGE_ROWS,
    REFUSALS,
    Breaker,
    Observation,
    observe,
    same_reason,
    wait_of,
)
from supportops.delivery.outages.readiness import needs_attention, standing
from supportops.delivery.signs import PAUSE, Sign, Signal, signal_of
from supportops.errors import (
    Conflict,
    CredentialRefused,
    DestinationAway,
    DestinationPaused,
    Forbidden,
    NotFound,
    Permanent,
    Retryable,
    UnknownOutcome,
)
from tests.support.engine import MONDAY, SECOND
from tests.support.for_each import for_each

MINUTE = timedelta(minutes=1)
CLOSED = Breaker("slack")


def ends(sign: Sign, *keys: str, reason: str = "503", **options: object) -> list[Observation]:
    return [Observation(key, sign, reason, **options) for key in keys]  # type: ignore[arg-type]


def different(count: int) -> list[str]:
    return [f"k{n}" for n in range(count)]


@for_each(
    "ended, signal",
    [
        (Done(), Signal(Sign.ALIVE)),
        (Discard("no"), Signal(Sign.REFUSED)),
        (Unknown("?"), Signal(Sign.REFUSED)),
        (Cancel("moot"), Signal(Sign.NOTHING)),
        (Snooze(MINUTE, "later"), Signal(Sign.NOTHING)),
        (TryAgain(None, "odd"), Signal(Sign.NOTHING)),
        (Permanent("400"), Signal(Sign.REFUSED)),
        (NotFound("404"), Signal(Sign.REFUSED)),
        (Forbidden("403"), Signal(Sign.FORBIDDEN)),
        (Conflict("409"), Signal(Sign.NOTHING)),
        (Retryable("503", MINUTE), Signal(Sign.OUTAGE, MINUTE)),
        (DestinationAway("no token", 3 * SECOND), Signal(Sign.AWAY, 3 * SECOND)),
        (UnknownOutcome("no answer"), Signal(Sign.OUTAGE)),
        (TimeoutError(), Signal(Sign.OUTAGE)),
        (DestinationPaused("quota"), Signal(Sign.PAUSE, PAUSE)),
        (CredentialRefused("401", MINUTE), Signal(Sign.CREDENTIAL, MINUTE)),
        (KeyError("a bug"), Signal(Sign.BUG)),
    ],
)
def test_what_the_end_of_a_call_says(ended: object, signal: Signal) -> None:
    assert signal_of(ended) == signal  # type: ignore[arg-type]


@pytest.mark.parametrize(("sign", "rows"), [(Sign.OUTAGE, OUTAGE_ROWS), (Sign.BUG, BUG_ROWS)])
def test_failures_of_different_rows_open_it_and_those_of_one_row_never_do(sign: Sign, rows: int) -> None:
    assert not observe(CLOSED, ends(sign, *different(rows - 1)), MONDAY).is_open
    assert not observe(CLOSED, ends(sign, *["one"] * 99), MONDAY).is_open
    opened = observe(CLOSED, ends(sign, *different(rows)), MONDAY)
    assert (opened.state, opened.cause, opened.since) == ("open", sign, MONDAY)
    assert opened.next_probe(MONDAY) > MONDAY


def test_a_success_between_failures_begins_the_count_anew() -> None:
    mixed = [*ends(Sign.OUTAGE, "a", "b"), *ends(Sign.ALIVE, "c"), *ends(Sign.OUTAGE, "d", "e")]
    assert not observe(CLOSED, mixed, MONDAY).is_open


def test_a_recovery_is_probed_in_seconds_growing_to_twenty() -> None:
    breaker, waits = observe(CLOSED, ends(Sign.OUTAGE, *different(3)), MONDAY), []
    for _ in range(9):
        waits.append((breaker.next_probe(MONDAY) - MONDAY) // SECOND)
        breaker = observe(breaker, ends(Sign.OUTAGE, "x", probe=True), MONDAY)
    assert waits == [1, 2, 4, 8, 15, 20, 20, 20, 20]


def test_one_success_of_a_probe_closes_it_and_a_late_one_of_before_does_not() -> None:
    opened = observe(CLOSED, ends(Sign.OUTAGE, *different(3)), MONDAY)
    assert observe(opened, ends(Sign.ALIVE, "late"), MONDAY).is_open
    assert observe(opened, ends(Sign.ALIVE, "x", probe=True), MONDAY) == replace(CLOSED, changed_at=MONDAY)


def test_a_probe_that_says_nothing_makes_room_for_the_next() -> None:
    opened = observe(CLOSED, ends(Sign.OUTAGE, *different(3)), MONDAY)
    probing = replace(opened, state="half_open", probe_at=MONDAY + MINUTE)
    after = observe(probing, ends(Sign.NOTHING, "x", probe=True), MONDAY)
    assert (after.state, after.next_probe(MONDAY)) == ("open", MONDAY)
    assert observe(probing, ends(Sign.NOTHING, "handed back"), MONDAY).state == "half_open"


@pytest.mark.parametrize("sign", [Sign.PAUSE, Sign.CREDENTIAL])
def test_a_wait_that_is_asked_for_opens_it_at_once_and_a_shorter_one_does_not_end_it(sign: Sign) -> None:
    opened = observe(CLOSED, ends(sign, "a", after=60 * MINUTE), MONDAY)
    assert opened.next_probe(MONDAY) == MONDAY + 60 * MINUTE
    assert observe(opened, ends(sign, "b", after=MINUTE), MONDAY).next_probe(MONDAY) == MONDAY + 60 * MINUTE


def test_refusals_never_open_it_and_are_counted_while_the_reason_is_the_same() -> None:
    refused = observe(CLOSED, ends(Sign.REFUSED, *different(REFUSALS), reason="channel C1: gone"), MONDAY)
    assert (refused.is_open, refused.refuses_all, refused.refused_since) == (False, True, MONDAY)
    other = observe(refused, ends(Sign.REFUSED, "x", reason="too long"), MONDAY)
    assert not other.refuses_all
    assert not observe(refused, ends(Sign.ALIVE, "x"), MONDAY).refuses_all


def test_a_403_that_all_rows_have_is_about_the_credential() -> None:
    some = observe(CLOSED, ends(Sign.FORBIDDEN, *different(REFUSALS - 1), reason="403"), MONDAY)
    assert not some.is_open
    opened = observe(some, ends(Sign.FORBIDDEN, "x", reason="403"), MONDAY)
    assert (opened.state, opened.cause) == ("open", Sign.CREDENTIAL)


def test_reasons_are_compared_without_what_differs_from_row_to_row() -> None:
    assert same_reason("ticket 123: 403 (id a1b2)") == same_reason("ticket 98765: 403 (id ff09)")
    assert same_reason("not_in_channel") != same_reason("is_archived")


def test_an_outage_spares_every_row_that_it_concerns() -> None:
    one = observe(CLOSED, ends(Sign.OUTAGE, "a"), MONDAY)
    (again,), (other,) = ends(Sign.OUTAGE, "a"), ends(Sign.OUTAGE, "b")
    assert not one.spares(again, CLOSED)  # the attempt that found it
    assert one.spares(again, one)  # the only row there is: nobody has succeeded meanwhile
    assert not one.spares(other, one)
    opened = observe(CLOSED, ends(Sign.OUTAGE, *different(3)), MONDAY)
    assert opened.spares(other, opened)
    (bug,) = ends(Sign.BUG, "a")
    assert not one.spares(bug, one)


def test_what_a_clock_that_was_ahead_has_written_does_not_hold() -> None:
    tomorrow = MONDAY + timedelta(days=1)
    opened = observe(CLOSED, ends(Sign.PAUSE, "a", after=60 * MINUTE), tomorrow)
    assert opened.next_probe(MONDAY) == MONDAY


SIGNS = st.builds(
    Observation,
    key=st.sampled_from("abcdefg"),
    sign=st.sampled_from(Sign),
    reason=st.sampled_from(["x", "y 1"]),
    after=st.none() | st.just(MINUTE),
    probe=st.booleans(),
)


@given(st.lists(SIGNS, max_size=30))
def test_whatever_happens_it_says_since_when_why_and_when_next(seen: list[Observation]) -> None:
    breaker = CLOSED
    for each in seen:
        breaker = observe(breaker, [each], MONDAY)
        assert standing(breaker, MONDAY)
        if breaker.is_open:
            assert breaker.since is not None
            assert breaker.cause is not None
            assert breaker.next_probe(MONDAY) <= MONDAY + 5 * MINUTE
        assert observe(breaker, ends(Sign.ALIVE, "z", probe=True), MONDAY).state == "closed"


def test_only_a_short_wait_that_was_asked_for_is_business_as_usual() -> None:
    paused = observe(CLOSED, ends(Sign.PAUSE, "a", after=60 * MINUTE), MONDAY)
    assert not needs_attention(paused, MONDAY)
    assert needs_attention(paused, MONDAY + 3 * MINUTE)
    for sign, rows in ((Sign.OUTAGE, 3), (Sign.BUG, 5), (Sign.CREDENTIAL, 1), (Sign.REFUSED, 5)):
        assert needs_attention(observe(CLOSED, ends(sign, *different(rows)), MONDAY), MONDAY)
    assert not needs_attention(observe(CLOSED, ends(Sign.OUTAGE, "a"), MONDAY), MONDAY)


def test_an_outage_that_is_everybodys_is_seen_after_one_call() -> None:
    """Also by a replica of the last release, which knows the word of its cause."""
    away = observe(CLOSED, ends(Sign.AWAY, "a", after=3 * SECOND), MONDAY)
    assert (away.state, away.cause) == ("open", Sign.OUTAGE)
    assert away.next_probe(MONDAY) == MONDAY + 3 * SECOND
    assert needs_attention(away, MONDAY)
    again = observe(away, ends(Sign.AWAY, "a", after=3 * SECOND, probe=True), MONDAY + 3 * SECOND)
    assert (again.since, again.next_probe(MONDAY)) == (MONDAY, MONDAY + 6 * SECOND)
    assert observe(again, ends(Sign.ALIVE, "a", probe=True), MONDAY + MINUTE).state == "closed"


def test_one_row_that_fails_again_and_again_is_seen_and_stops_no_other() -> None:
    """A destination of one busy lane tries that lane's head alone, so no second row ever tells of the outage."""
    alone = CLOSED
    for seconds in range(3):
        assert not needs_attention(alone, MONDAY)
        alone = observe(alone, ends(Sign.OUTAGE, "a"), MONDAY + seconds * SECOND)
    assert needs_attention(alone, MONDAY + MINUTE)
    assert not alone.is_open
    said = standing(alone, MONDAY + MINUTE, public=True)
    assert said.startswith("3 calls failed one after the other (outage) since 2")
    assert not needs_attention(observe(alone, ends(Sign.ALIVE, "b"), MONDAY), MONDAY)


def test_what_operators_read_names_the_way_out_and_the_probe_hides_the_vendors_words() -> None:
    broken = observe(CLOSED, ends(Sign.BUG, *different(5), reason="KeyError: 'Jane'"), MONDAY)
    assert "deliveries resume slack" in standing(broken, MONDAY)
    assert "Jane" in standing(broken, MONDAY)
    assert "Jane" not in standing(broken, MONDAY, public=True)
    assert wait_of(broken, Sign.BUG) == 30 * SECOND


def opened(sign: Sign = Sign.OUTAGE) -> Breaker:
    """One that a run of failures of different rows has opened."""
    return observe(CLOSED, ends(sign, *different(BUG_ROWS)), MONDAY)


def test_an_open_breaker_for_a_bug_of_ours_spares_the_rows_that_ran_into_it() -> None:
    (seen,) = ends(Sign.BUG, "k9")
    assert opened(Sign.BUG).spares(seen, CLOSED)
    assert not CLOSED.spares(seen, opened(Sign.BUG))


def test_the_late_end_of_a_call_from_before_the_opening_moves_no_probe() -> None:
    """A dozen calls were out when it opened: their failures are no failures of probes."""
    broken = opened()
    after = observe(broken, ends(Sign.OUTAGE, *different(12)), MONDAY + SECOND)
    assert (after.probes, after.probe_at, after.state) == (broken.probes, broken.probe_at, "open")


def test_another_cause_begins_its_own_count_of_rows() -> None:
    """Two rows that met an outage, then two that met a bug of ours: four rows, and no cause had enough."""
    mixed = [
        *ends(Sign.OUTAGE, *different(BUG_ROWS - 1)[: OUTAGE_ROWS - 1]),
        *ends(Sign.BUG, "k7", "k8", "k9"),
    ]
    after = observe(CLOSED, mixed, MONDAY)
    assert (after.is_open, after.failing) == (False, ("k7", "k8", "k9"))


def test_a_probe_that_is_asked_to_wait_longer_waits_longer() -> None:
    (probe,) = ends(Sign.OUTAGE, "k1", after=MINUTE, probe=True)
    assert observe(opened(), [probe], MONDAY).probe_at == MONDAY + MINUTE
