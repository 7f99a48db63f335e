"""What a changed ticket shows and no webhook told: a table (docs/csat.md, "What no webhook told")."""

from datetime import UTC, datetime, timedelta
from typing import Any

from csat.ratings.catch_up import Known, Place, missed
from supportops.contracts import TicketEvent, TicketRated, TicketReopened, TicketSolved
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Ticket
from tests.support.for_each import for_each

SINCE = datetime(2026, 3, 1, 9, tzinfo=UTC)
SOLVED = datetime(2026, 3, 1, 10, tzinfo=UTC)
LATER = SOLVED + timedelta(hours=1)
NOW = LATER + timedelta(minutes=2)
SECOND = timedelta(seconds=1)


def ticket(
    status: str = "solved", solved: datetime | None = SOLVED, score: str = "unoffered", **more: Any
) -> Ticket:
    shown = {"id": 7, "status": status, "updated_at": LATER, "satisfaction_rating": {"score": score}}
    metrics = {"ticket_id": 7, "solved_at": solved} if solved else None
    return Ticket.model_validate(shown | {"requester_id": 601, "metrics": metrics} | more)


def heard(status: str = "solved", solved: datetime | None = SOLVED, at: datetime = SOLVED) -> dict[str, Any]:
    return {"status": status, "version": version_of(at, at), "solved_at": solved}


def known(clock: Any = None, asked: bool = False, rated: Any = None) -> Known:
    rating = None if rated is None else {"score": rated[0], "rated_at": rated[1]}
    return Known(clock, {"asked_at": SOLVED if asked else None}, rating)


@for_each(
    "shown, state, found",
    [
        (ticket(), Known(), [TicketSolved]),
        (ticket(), known(heard()), []),
        (ticket(), known(heard(solved=SOLVED + 4 * SECOND)), []),  # the same solve, told by another road
        (ticket(), known(heard("reopened", SINCE)), [TicketSolved]),
        (
            ticket(),
            known(heard("reopened", SINCE, at=LATER + SECOND)),
            [],
        ),  # newer than what the export shows
        (ticket(), known(heard("reopened", at=SOLVED + SECOND)), []),  # that very solve is over
        (ticket(solved=SOLVED - 9 * SECOND), known(heard()), []),
        (ticket(), known({"status": "unknown", "version": "", "solved_at": None}), [TicketSolved]),
        (ticket(solved=SOLVED + 9 * SECOND), known(heard()), [TicketSolved]),
        (ticket(solved=None), Known(), []),
        (ticket(solved=SINCE), Known(), [TicketSolved]),
        (ticket(solved=SINCE - SECOND), Known(), []),  # of the time before csat: the vendor's to ask
        (ticket("closed"), Known(), []),
        (ticket("deleted"), known(heard()), []),
        (ticket("open"), Known(), []),
        (ticket("open"), known(heard()), [TicketReopened]),
        (ticket("hold"), known(heard(at=LATER)), [TicketReopened]),  # both in one second
        (ticket("hold"), known(heard(at=LATER + SECOND)), []),
        (ticket("pending"), known(heard("reopened")), []),
        (ticket(score="good"), known(heard(), asked=True), [TicketRated]),
        (ticket("closed", score="bad"), known(heard(), asked=True), [TicketRated]),
        (ticket(score="good"), Known(), [TicketSolved]),  # never heard of: its rating is history
        (ticket(score="good"), known(heard(), rated=("good", SOLVED)), []),
        (ticket(score="bad"), known(heard(), rated=("good", SOLVED)), [TicketRated]),
        (ticket(score="bad"), known(heard(), rated=("good", LATER + SECOND)), []),
        (ticket(score="offered"), known(heard()), [TicketRated]),
        (ticket(score="offered"), known(heard(), asked=True), []),
        (ticket(score="offered"), known(heard(), rated=("good", SOLVED)), []),
    ],
)
def test_what_was_missed(shown: Ticket, state: Known, found: list[type[TicketEvent]]) -> None:
    assert [type(event) for event in missed(shown, state, SINCE, NOW)] == found


def test_a_missed_solve_says_what_its_webhook_would_have() -> None:
    [event] = missed(ticket(), Known(), SINCE, NOW)
    assert isinstance(event, TicketSolved)
    assert (event.ticket_id, event.solved_at, event.time, event.road) == ("7", SOLVED, SOLVED, "export")
    assert (event.id, event.version) == ("export:7:solved:2026-03-01T10:00:00Z", version_of(LATER, NOW))
    assert event.ticket.requester_id == "601"


def test_a_place_is_kept_and_read_again() -> None:
    place = Place(SINCE, LATER, "cursor")
    assert Place.of(place.text()) == place
