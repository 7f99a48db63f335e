"""Reading in bulk: the incremental exports and satisfaction ratings (docs/vendors/zendesk.md#exports)."""

import base64
import binascii

from sandbox.clock import NANOS, Clock
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import bad_request, not_found, rate_limited
from sandbox.zendesk.records import Rating, Ticket
from sandbox.zendesk.sla_api import sideloaded
from sandbox.zendesk.tickets_api import sideloads


class ExportApi:
    """`lag` is how much of the newest past the exports leave out, a minute in reality, in seconds."""

    def __init__(self, account: Account, limits: Limits, clock: Clock) -> None:
        self.lag = 60.0
        self._account = account
        self._limits = limits
        self._clock = clock

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/incremental/tickets/cursor", self.tickets),
            ("GET", "/incremental/organizations", self.organizations),
            ("GET", "/satisfaction_ratings", self.ratings),
            ("GET", "/satisfaction_ratings/count", self.ratings_count),
            ("GET", "/satisfaction_ratings/{id}", self.rating),
            ("GET", "/satisfaction_reasons", self.reasons),
        ]

    # --- incremental ---

    def tickets(self, call: Call) -> Reply:
        """By `generated_timestamp`, so a ticket may come with an old `updated_at`; deleted ones are included."""
        self._take()
        after = self._start(call)
        horizon = self._clock.now_ns() - int(self.lag * NANOS)
        size = min(1000, int(call.query.get("per_page", "1000")))
        waiting = sorted(
            (
                t
                for t in self._account.records.tickets.values()
                if after < (t.generated_at, t.id) and t.generated_at <= horizon
            ),
            key=lambda t: (t.generated_at, t.id),
        )
        page = waiting[:size]
        cursor = _cursor(page[-1].generated_at, page[-1].id) if page else _cursor(*after)
        include = call.query.get("include", "")
        shown = [self._shown(ticket, include) for ticket in page]
        url = f"{self._account.base}/incremental/tickets/cursor.json?cursor={cursor}"
        body: Json = {"tickets": shown, "after_cursor": cursor, "after_url": url}
        body |= {"before_cursor": None, "before_url": None, "end_of_stream": len(page) == len(waiting)}
        return Reply(200, body | sideloads(self._account, page, include))

    def organizations(self, call: Call) -> Reply:
        """Time-based: the next `start_time` is this answer's `end_time`."""
        self._take()
        start = int(call.query.get("start_time", "0")) * NANOS
        horizon = self._clock.now_ns() - int(self.lag * NANOS)
        known = self._account.records.organizations.values()
        found = sorted((o for o in known if start <= o.updated_at <= horizon), key=lambda o: o.updated_at)
        end = found[-1].updated_at // NANOS + 1 if found else start // NANOS
        shown = [render.organization(self._account.base, o) for o in found]
        url = f"{self._account.base}/incremental/organizations.json?start_time={end}"
        body: Json = {"organizations": shown, "count": len(shown), "end_time": end}
        return Reply(200, body | {"next_page": url, "end_of_stream": True})

    def _take(self) -> None:
        if (wait := self._limits.exports.take()) is not None:
            raise rate_limited(wait)

    def _start(self, call: Call) -> tuple[int, int]:
        if cursor := call.query.get("cursor"):
            return _read_cursor(cursor)
        text = call.query.get("start_time", "")
        if not text.isdigit():
            raise bad_request("InvalidValue", "start_time is required")
        start = int(text) * NANOS
        if start > self._clock.now_ns() - int(self.lag * NANOS):
            raise bad_request(
                "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 60 seconds"
            )
        return start - 1, 0

    def _shown(self, ticket: Ticket, include: str) -> Json:
        shown = render.ticket(self._account.base, ticket)
        return shown | (sideloaded(self._account, ticket) if "slas" in include else {})

    # --- satisfaction ---

    def ratings(self, call: Call) -> Reply:
        found = list(self._account.records.ratings.values())
        if score := call.query.get("score"):
            found = [r for r in found if _has_score(r, score)]
        if start := call.query.get("start_time"):
            found = [r for r in found if r.updated_at >= int(start) * NANOS]
        if end := call.query.get("end_time"):
            found = [r for r in found if r.updated_at < int(end) * NANOS]
        base = self._account.base
        return Reply(
            200, page_of(call, base, "satisfaction_ratings", found, lambda r: render.rating(base, r))
        )

    def ratings_count(self, _: Call) -> Reply:
        return Reply(200, {"count": {"value": len(self._account.records.ratings), "refreshed_at": None}})

    def rating(self, call: Call) -> Reply:
        found = self._account.records.ratings.get(call.number("id"))
        if found is None:
            raise not_found()
        return Reply(200, {"satisfaction_rating": render.rating(self._account.base, found)})

    def reasons(self, _: Call) -> Reply:
        texts = (
            "No reason given",
            "Took too long",
            "Not resolved",
            "Knowledge",
            "Attitude",
            "Some other reason",
        )
        codes = (0, 5, 6, 7, 8, 1000)
        shown = [{"id": 35400 + i, "reason_code": code, "value": texts[i]} for i, code in enumerate(codes)]
        return Reply(200, {"reasons": shown})


def _has_score(rating: Rating, wanted: str) -> bool:
    """`received`, `good`, `bad_with_comment` and the like."""
    kind, _, rest = wanted.partition("_")
    if kind != "received" and rating.score != kind:
        return False
    return not rest or (rest == "with_comment") == bool(rating.comment)


def _cursor(at: int, ticket_id: int) -> str:
    return base64.urlsafe_b64encode(f"{at}||{ticket_id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, int]:
    try:
        at, _, ticket_id = base64.urlsafe_b64decode(cursor).decode().partition("||")
        return int(at), int(ticket_id)
    except (binascii.Error, ValueError) as error:
        raise bad_request("InvalidValue", "cursor is not valid") from error
