"""What is wrong with a service, by its side port: `/readyz` says what stands, `/metrics` what was given up. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

_COUNTED = {
    "supportops_dead_letters": ("{n} records in the dead letter", "{service} dead-letters list"),
    "supportops_deliveries_dead": (
        "{n} calls to {destination} given up",
        "{service} deliveries list --state dead --destination {destination}",
    ),
    "supportops_consumer_resets": ("{n} partitions of {topic} went on elsewhere: {kind}", "{service} doctor"),
}
_REMEDIES = (
    ("destination:", "{service} doctor; after a fix: {service} deliveries resume {name}"),
    ("consumer", "{service} doctor; {service} dead-letters list"),
    ("outbox", "{service} doctor"),
    ("deliver", "{service} deliveries list"),
)


class Known(msgspec.Struct):
    """What was seen of a service so far: problems with their beginning and last telling, and counters by name."""

    problems: dict[str, tuple[datetime, datetime]] = {}
    counters: dict[str, float] = {}


@dataclass(frozen=True)
class Problem:
    """Something to tell: what, and the command that mends it, or shows what to mend."""

    words: str
    remedy: str = ""


@dataclass
class Seen:
    """What a service's side port answered; None: it did not."""

    ready: Mapping[str, Any] | None
    metrics: str | None
    problems: dict[str, Problem] = field(default_factory=dict)


def news(service: str, seen: Seen, known: Known, now: datetime, repeat_after: timedelta) -> list[Problem]:
    """What is to be told now; brings `known` up to date."""
    standing = dict(_standing(service, seen))
    told = list(_counted(service, seen, known))
    for name, problem in standing.items():
        began, last = known.problems.get(name, (now, None))
        if last is None or now - last >= repeat_after:
            still = "" if last is None else f" (since {began:%Y-%m-%d %H:%M} UTC)"
            told.append(Problem(problem.words + still, problem.remedy))
            last = now
        known.problems[name] = (began, last)
    for name in [name for name in known.problems if name not in standing]:
        began, _ = known.problems.pop(name)
        told.append(Problem(f"{service}: {name} is well again (it was not since {began:%Y-%m-%d %H:%M} UTC)"))
    return told


def _standing(service: str, seen: Seen) -> Iterator[tuple[str, Problem]]:
    if seen.ready is None:
        yield "side port", Problem(f"{service}: does not answer", f"look at its log; {service} doctor")
        return
    for probe in seen.ready.get("probes") or ():
        if isinstance(probe, dict) and probe.get("ok") is False:
            name = str(probe.get("name", "?"))
            words = f"{service}: {name}: {str(probe.get('detail', ''))[:300]}"
            yield name, Problem(words, _remedy(service, name))


def _remedy(service: str, probe: str) -> str:
    for beginning, command in _REMEDIES:
        if probe.startswith(beginning):
            return command.format(service=service, name=probe.removeprefix(beginning))
    return f"{service} doctor"


def _counted(service: str, seen: Seen, known: Known) -> Iterator[Problem]:
    """What was counted since the last look. The first look only takes note; a counter that fell began anew."""
    if seen.metrics is None:
        return
    first = not known.counters
    for family in text_string_to_metric_families(seen.metrics):
        for sample in family.samples if family.name in _COUNTED else ():
            if not sample.name.endswith("_total"):
                continue
            name = f"{sample.name}{sorted(sample.labels.items())}"
            before = known.counters.get(name, 0.0)
            known.counters[name] = sample.value
            count = sample.value - before if sample.value >= before else sample.value
            if count > 0 and not first:
                words, remedy = _COUNTED[family.name]
                facts = {"n": f"{count:g}", "service": service} | sample.labels
                yield Problem(f"{service}: {words.format(**facts)}", remedy.format(**facts))
    known.counters.setdefault("looked", 1.0)
