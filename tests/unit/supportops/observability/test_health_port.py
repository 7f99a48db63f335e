"""The side port: alive is not ready, and ready means progress."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from supportops.clock import ManualClock
from supportops.errors import SupportOpsError
from supportops.observability.health import Probe, ProbeResult, Readiness
from supportops.observability.metrics import Metrics
from supportops.observability.probes import AgeProbe, ComplaintsProbe, ReachableProbe
from supportops.runtime.side_server import side_app

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Says:
    """A probe with a fixed answer."""

    def __init__(self, name: str, ok: bool) -> None:
        self.name, self.ok = name, ok

    async def __call__(self) -> ProbeResult:
        return ProbeResult(self.name, self.ok, "as told")


class Breaks:
    """A probe that cannot look."""

    name = "database"

    async def __call__(self) -> ProbeResult:
        raise ConnectionRefusedError("postgresql://csat:hunter2@db/csat refused")


class Hangs:
    """A probe that never answers."""

    name = "database"

    async def __call__(self) -> ProbeResult:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def _get(path: str, probes: Sequence[Probe], metrics: Metrics | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(side_app(probes, metrics or Metrics()))
    async with httpx.AsyncClient(transport=transport, base_url="http://side") as client:
        return await client.get(path)


async def test_alive_whatever_the_probes_say() -> None:
    answer = await _get("/healthz", [Says("x", False), Breaks()])
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_when_every_probe_is_content() -> None:
    answer = await _get("/readyz", [Says("a", True), Says("b", True)])
    assert answer.status_code == 200
    assert answer.json()["ready"] is True


async def test_one_discontented_probe_is_enough() -> None:
    answer = await _get("/readyz", [Says("a", True), Says("b", False)])
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "probes": [
            {"name": "a", "ok": True, "detail": "as told"},
            {"name": "b", "ok": False, "detail": "as told"},
        ],
    }


async def test_a_probe_that_breaks_is_not_ready_and_tells_no_secret() -> None:
    answer = await _get("/readyz", [Breaks()])
    assert answer.status_code == 503
    assert answer.json()["probes"] == [{"name": "database", "ok": False, "detail": "ConnectionRefusedError"}]


async def test_a_probe_that_hangs_is_not_waited_for() -> None:
    results = await Readiness([Hangs(), Says("a", True)], Metrics(), timedelta(milliseconds=20)).look()
    assert results == [ProbeResult("database", False, "no answer in time"), ProbeResult("a", True, "as told")]


async def test_metrics_hold_the_verdicts_of_the_moment() -> None:
    metrics = Metrics()
    answer = await _get("/metrics", [Says("a", True), Says("b", False)], metrics)
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'supportops_ready{probe="a"} 1.0' in answer.text
    assert 'supportops_ready{probe="b"} 0.0' in answer.text


def _age_probe(oldest: datetime | None, metrics: Metrics) -> AgeProbe:
    async def read() -> datetime | None:
        return oldest

    return AgeProbe(
        "outbox",
        read,
        timedelta(seconds=30),
        clock=ManualClock(NOON),
        gauge=(metrics, "outbox_oldest_unpublished_seconds"),
    )


async def test_age_probe_looks_at_the_oldest() -> None:
    metrics = Metrics()
    young = await _age_probe(NOON - timedelta(seconds=29), metrics)()
    assert (young.ok, young.detail) == (True, "oldest waits 29s, limit 30s")
    old = await _age_probe(NOON - timedelta(seconds=90), metrics)()
    assert (old.ok, old.detail) == (False, "oldest waits 1m30s, limit 30s")
    assert metrics.value("outbox_oldest_unpublished_seconds") == 90


async def test_age_probe_is_content_with_nothing_and_with_a_clock_that_is_behind() -> None:
    metrics = Metrics()
    assert (await _age_probe(None, metrics)()).detail == "nothing waits"
    assert (await _age_probe(NOON + timedelta(seconds=5), metrics)()).ok
    assert metrics.value("outbox_oldest_unpublished_seconds") == 0


async def test_complaints_are_asked_for_with_the_limit() -> None:
    asked: list[timedelta] = []

    def complaints(limit: timedelta) -> list[str]:
        asked.append(limit)
        return ["t[0] cannot be read", "events wait"] if len(asked) > 1 else []

    probe = ComplaintsProbe("consumer:csat", complaints, timedelta(seconds=60))
    assert (await probe()).ok
    assert (await probe()).detail == "t[0] cannot be read; events wait"
    assert asked == [timedelta(seconds=60)] * 2


async def test_reachable_probe_says_since_when_and_what_to_do_and_no_text_of_the_error() -> None:
    moments, away = iter([0.0, 5.0, 10.0, 95.0, 100.0]), [False, True, True, False]

    async def ping() -> None:
        if away.pop(0):
            raise SupportOpsError("password in an address")

    probe = ReachableProbe("broker", ping, "Bring it back", lambda: next(moments))
    assert await probe() == ProbeResult("broker", True, "answers")
    assert await probe() == ProbeResult(
        "broker", False, "no answer since 5s (SupportOpsError). Bring it back"
    )
    assert await probe() == ProbeResult(
        "broker", False, "no answer since 1m30s (SupportOpsError). Bring it back"
    )
    assert await probe() == ProbeResult("broker", True, "answers")
