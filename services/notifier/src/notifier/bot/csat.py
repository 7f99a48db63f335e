"""This week's satisfaction, asked of csat's own API (decision 180): its figures are those of its dashboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

import httpx
import msgspec

from notifier.settings import CsatApiSettings
from supportops.clock import Clock
from supportops.errors import Permanent
from supportops.vendors.http_client import check, make_client, map_transport_errors

WEEK = timedelta(days=7)


class Share(msgspec.Struct, frozen=True):
    """k of n with its 95 % interval; `value`, from 0 to 1, is None while n is 0."""

    n: int
    k: int
    low: float
    high: float
    value: float | None = None
    target: float | None = None
    reached: bool | None = None


class Week(msgspec.Struct, frozen=True):
    """The figures of the tickets that were solved from `first_day` on."""

    first_day: date
    kpi: Share
    response_rate: Share


class _Reply(msgspec.Struct, frozen=True):
    time_zone: str
    trend: list[Week]


class CsatNumbers:
    """csat's API. `http` is bound to its address and holds the token."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self._http, self._clock = http, clock

    async def this_week(self) -> tuple[Week | None, str]:
        """The running week, by the days of csat's own time zone, which is named; None before its first figures.

        Raises what `http_client.check` says, and Permanent for an answer that is not csat's.
        """
        now = self._clock.now()
        query = {"trend": "week", "since": f"{(now - 2 * WEEK).date()}"}
        with map_transport_errors("GET", "csat kpi"):
            response = await self._http.get("/api/kpi", params=query)
        check(response, "csat kpi", now=now)
        try:
            reply = msgspec.json.decode(response.content, type=_Reply)
        except msgspec.MsgspecError as error:
            raise Permanent("csat kpi: not an answer of csat's") from error
        return running(reply.trend, now), reply.time_zone


def running(weeks: list[Week], now: datetime) -> Week | None:
    """The newest week, unless it ended a day ago or longer: time zones are at most that far apart."""
    newest = max(weeks, key=lambda week: week.first_day, default=None)
    if newest is None or newest.first_day + WEEK + timedelta(days=1) <= now.date():
        return None
    return newest


@asynccontextmanager
async def open_csat(
    settings: CsatApiSettings, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[CsatNumbers | None]:
    """csat's API; None where no address is set."""
    if settings.url is None or settings.token is None:
        yield None
        return
    authorization = f"Bearer {settings.token.get_secret_value()}"
    async with make_client(settings.url, authorization=authorization, transport=transport) as http:
        yield CsatNumbers(http, clock)
