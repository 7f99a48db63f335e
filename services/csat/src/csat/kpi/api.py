"""The numbers as JSON: GET /api/kpi, /api/ratings, /api/surveys. No answer is longer than its limit."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from csat.kpi import queries, row_queries
from csat.kpi.filters import DIMENSIONS, LONGEST_VALUE, NONE, BadView, Dimension, Step, View, today_in
from csat.kpi.measures import Counts, Figure, figures_of
from csat.policy.kpi import KpiPolicy
from supportops.store import Store

LONGEST_BREAKDOWN = 500
LONGEST_PAGE = 200

_day: dict[str, Any] = {"pattern": r"^\d{4}-\d{2}-\d{2}$", "json_schema_extra": {"format": "date"}}
Day = Annotated[str, Field(**_day)]
Value = Annotated[
    str,
    Field(
        max_length=LONGEST_VALUE,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description=f"Only these tickets; {NONE}: those without one.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="How many at most.")]
Cursor = Annotated[str, Field(max_length=400, description="`next` of the page before.")]


class Days(BaseModel):
    """Which days; every parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    since: Day | None = Field(None, description="First day of the solve; else 13 weeks before `until`.")
    until: Day | None = Field(None, description="The day after the last one; else tomorrow.")

    def view(self, today: date) -> View:
        """The view that is asked for. RequestValidationError."""
        names = ("since", "until", *DIMENSIONS)
        given = {name: value for name in names if (value := getattr(self, name, None))}
        try:
            return View.parse(given, today=today)
        except BadView as error:
            raise _refusal(error.parameter, str(error)) from error


class Chosen(Days):
    """Which days and which tickets."""

    form: Value | None = None
    plan: Value | None = None
    region: Value | None = None
    group: Value | None = None
    assignee: Value | None = None
    reason: Value | None = None


class KpiQuery(Chosen):
    """What is asked of /api/kpi."""

    by: Dimension | None = Field(None, description="Break the numbers down by this.")
    trend: Step | None = Field(None, description="Also by week or by month.")


class RatingsQuery(Chosen):
    """What is asked of /api/ratings."""

    score: Literal["good", "bad"] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class SurveysQuery(Days):
    """What is asked of /api/surveys."""

    rule: str | None = Field(
        None, max_length=100, description="Only decisions of this rule; send: who was asked."
    )
    limit: Limit = 50
    cursor: Cursor | None = None


class Share(BaseModel):
    """A share with its 95 % interval by Wilson; `value` is k / n, from 0 to 1, and null while n is 0."""

    value: float | None
    k: int
    n: int
    low: float
    high: float
    target: float | None
    reached: bool | None

    @classmethod
    def of(cls, figure: Figure) -> Self:
        return cls.model_validate(figure, from_attributes=True)


class Numbers(BaseModel):
    """Tickets, and the figures that follow: good + bad <= asked <= decided <= solved."""

    solved: int
    decided: int
    asked: int
    good: int
    bad: int
    kpi: Share
    response_rate: Share
    offered_rate: Share


class NumbersOfValue(Numbers):
    """The same for one value of a dimension; "" for tickets that have none."""

    value: str


class NumbersOfPeriod(Numbers):
    """The same for the week or month that begins with this day."""

    first_day: date


class KpiReply(BaseModel):
    """Numbers of the tickets solved from `since` to the day before `until`.

    `breakdown` holds the values with most tickets first; `left_out` says how many further values there are.
    """

    since: date
    until: date
    time_zone: str
    filters: dict[Dimension, str]
    totals: Numbers
    by: Dimension | None
    breakdown: list[NumbersOfValue]
    left_out: int
    step: Step | None
    trend: list[NumbersOfPeriod]


class RatingReply(BaseModel):
    """A ticket's latest answer; names are those of the moment when the ticket was solved, "" where there is none.

    `from_agents`: it was given from a network of the organization's agents.
    """

    ticket_id: str
    rated_at: datetime
    score: Literal["good", "bad"]
    comment: str
    reason: str
    form: str
    plan: str
    region: str
    group: str
    assignee: str
    source: str
    revision: int
    from_agents: bool


class RatingsReply(BaseModel):
    """A page of answers; `next` is the cursor of the next one, null on the last."""

    ratings: list[RatingReply]
    next: str | None


class SurveyReply(BaseModel):
    """What was decided about a solve, by which rule and why; `mode` and `sent_at` where a survey was sent for it."""

    ticket_id: str
    solved_at: datetime
    decided_at: datetime
    asked: bool
    rule: str
    reason: str
    mode: str | None
    sent_at: datetime | None


class SurveysReply(BaseModel):
    """A page of decisions; `next` is the cursor of the next one, null on the last."""

    surveys: list[SurveyReply]
    next: str | None


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


def numbers_of(counts: Counts, policy: KpiPolicy) -> Numbers:
    """Counts with their figures, each beside its target."""
    figures = figures_of(counts, policy)
    return Numbers(
        solved=counts.solved,
        decided=counts.decided,
        asked=counts.asked,
        good=counts.good,
        bad=counts.bad,
        kpi=Share.of(figures.kpi),
        response_rate=Share.of(figures.response_rate),
        offered_rate=Share.of(figures.offered_rate),
    )


class NumbersApi:
    """Answers the routes below."""

    def __init__(self, store: Store, policy: KpiPolicy) -> None:
        self._store = store
        self._policy = policy

    async def kpi(self, asked: Annotated[KpiQuery, Query()]) -> KpiReply:
        """The KPI, the response rate and the offered rate of the tickets solved in these days.

        See docs/rules.md C2, C9.
        """
        view = asked.view(self._today())
        async with self._store.reading() as conn:
            return await kpi_reply(conn, view, self._policy, asked.by, asked.trend)

    async def ratings(self, asked: Annotated[RatingsQuery, Query()]) -> RatingsReply:
        """Answers, those given last first; a ticket has one, its latest."""
        view, position = asked.view(self._today()), _position(asked.cursor)
        async with self._store.reading() as conn:
            found = await row_queries.ratings(conn, view, asked.limit + 1, position, asked.score)
        page = found[: asked.limit]
        return RatingsReply(
            ratings=[RatingReply.model_validate(row, from_attributes=True) for row in page],
            next=_cursor(page[-1].position) if len(found) > len(page) else None,
        )

    async def surveys(self, asked: Annotated[SurveysQuery, Query()]) -> SurveysReply:
        """Who was asked, who was not and by which rule: one decision for each solve, the latest solves first."""
        wanted = row_queries.Range.of(asked.view(self._today()), self._policy.zone, asked.rule)
        position = _position(asked.cursor)
        async with self._store.reading() as conn:
            found = await row_queries.surveys(conn, wanted, asked.limit + 1, position)
        page = found[: asked.limit]
        return SurveysReply(
            surveys=[SurveyReply.model_validate(row, from_attributes=True) for row in page],
            next=_cursor(page[-1].position) if len(found) > len(page) else None,
        )

    def _today(self) -> date:
        return today_in(self._policy.zone, self._store.clock.now())


async def kpi_reply(
    conn: AsyncConnection, view: View, policy: KpiPolicy, by: Dimension | None, step: Step | None
) -> KpiReply:
    """The numbers of a view; `by` and `step`: also broken down, also over time."""
    parts = await queries.breakdown(conn, view, by) if by is not None else {}
    trend = await queries.trend(conn, view, step) if step is not None else []
    known = parts.values() or [counts for _, counts in trend]  # each adds up to the totals
    totals = sum(known, Counts()) if known else await queries.totals(conn, view)
    first = sorted(parts.items(), key=lambda part: (-part[1].solved, part[0]))[:LONGEST_BREAKDOWN]
    return KpiReply(
        since=view.since,
        until=view.until,
        time_zone=policy.time_zone,
        filters=dict(view.filters),
        totals=numbers_of(totals, policy),
        by=by,
        breakdown=[
            NumbersOfValue(value=value, **dict(numbers_of(counts, policy))) for value, counts in first
        ],
        left_out=len(parts) - len(first),
        step=step,
        trend=[NumbersOfPeriod(first_day=day, **dict(numbers_of(counts, policy))) for day, counts in trend],
    )


def mount_api(app: FastAPI, store: Store, policy: KpiPolicy, allowed: Callable[..., Any]) -> None:
    """The routes below /api, for those whom the dependency `allowed` lets in."""
    api = NumbersApi(store, policy)
    router = APIRouter(
        prefix="/api",
        dependencies=[Depends(allowed), Depends(each_once)],
        tags=["numbers"],
        responses=_PROBLEMS,
    )
    router.get("/kpi")(api.kpi)
    router.get("/ratings")(api.ratings)
    router.get("/surveys")(api.surveys)
    app.include_router(router)


def each_once(request: Request) -> None:
    """Refuse a parameter that is given twice: one of its values would be left out in silence."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise _refusal(name, "must be given once")


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {
        "content": {"text/plain": {}},
        "description": "An address with a character that none of ours has (%00).",
    },
    401: {"model": Problem, "description": "Neither the bearer token nor a session."},
    429: {"model": Problem, "description": "Too many wrong tokens from this address; see Retry-After."},
    503: {"model": Problem, "description": "The database is away; try again in a minute."},
}


def _refusal(parameter: str, message: str) -> RequestValidationError:
    """The same answer that FastAPI gives where a parameter is not what its schema says."""
    return RequestValidationError(
        [{"type": "value_error", "loc": ("query", parameter), "msg": message, "input": None}]
    )


def _cursor(position: row_queries.Position) -> str:
    moment, key = position
    return base64.urlsafe_b64encode(f"{moment.isoformat()}|{key}".encode()).decode().rstrip("=")


def _position(cursor: str | None) -> row_queries.Position | None:
    """Where a cursor points to. RequestValidationError for one that is not ours."""
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        moment, _, key = text.partition("|")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not key.isprintable():
            raise ValueError("not ours")
        return at.astimezone(UTC), key
    except (binascii.Error, ValueError, OverflowError) as error:
        raise _refusal("cursor", "is not one that a page named as `next`") from error
