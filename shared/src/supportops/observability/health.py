"""The side port of a process: /healthz (it lives), /readyz (it makes progress), /metrics.

Readiness is not "a worker exists": probes look at the age of the oldest row that nobody has published or
delivered, at consumers that stand still before work, and at the database.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Protocol

from supportops.observability.logging import get_logger
from supportops.observability.metrics import Metrics

PROBE_TIMEOUT = timedelta(seconds=2)

log = get_logger("supportops.health")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe saw; `detail` is for an operator's eyes, and holds no secret and no customer's words."""

    name: str
    ok: bool
    detail: str = ""


class Probe(Protocol):
    """Looks at one thing, quickly and without side effects."""

    @property
    def name(self) -> str:
        """Its name in /readyz and in the metric `ready`."""
        ...

    async def __call__(self) -> ProbeResult:
        """Look now. What it raises counts as "not ready"."""
        ...


class Readiness:
    """All probes of a process, asked together; each has `timeout` to answer."""

    def __init__(self, probes: Sequence[Probe], metrics: Metrics, timeout: timedelta = PROBE_TIMEOUT) -> None:
        self._probes, self._metrics, self._timeout = tuple(probes), metrics, timeout
        self._ready: bool | None = None

    async def look(self) -> list[ProbeResult]:
        """Ask every probe now; also sets the metric `ready`, and logs when the verdict changes."""
        answers = await asyncio.gather(*(self._ask(probe) for probe in self._probes), return_exceptions=True)
        results = [
            answer
            if isinstance(answer, ProbeResult)
            else ProbeResult(probe.name, ok=False, detail=_why(answer))
            for probe, answer in zip(self._probes, answers, strict=True)
        ]
        for result in results:
            self._metrics.gauge("ready", float(result.ok), probe=result.name)
        self._log_changes(results)
        return results

    async def _ask(self, probe: Probe) -> ProbeResult:
        async with asyncio.timeout(self._timeout.total_seconds()):
            return await probe()

    def _log_changes(self, results: list[ProbeResult]) -> None:
        failing = [result for result in results if not result.ok]
        if self._ready is not None and self._ready != (not failing):
            log.warning("ready.changed", ready=not failing, failing=[asdict(result) for result in failing])
        self._ready = not failing


def _why(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        raise error
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return type(error).__name__  # not its text: a driver's message may hold an address with a password
