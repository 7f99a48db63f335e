"""Topics are looked at when a process starts: made, and held against ours; a broker that is away is waited for."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from supportops.config import KafkaSettings
from supportops.contracts import Topic
from supportops.errors import Retryable
from supportops.messaging import Broker, kafka
from supportops.messaging.topics import MAX_RECORD, Limits, WrongTopics
from supportops.runtime import startup_guards
from supportops.runtime.startup_guards import TopicGuard
from tests.support.eventually import eventually

DAY = timedelta(days=1)
TOPIC = Topic("zendesk.tickets", 12, "ticket id", DAY)


@pytest.fixture(autouse=True)
def _own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that has spoken before a test listens is bound to what was configured then."""
    monkeypatch.setattr(kafka, "_log", structlog.get_logger())


class PaperTopics(Broker):
    """A broker of which only the topics are asked."""

    def __init__(self, limits: Limits, problems: Sequence[Exception] = (), flavour: str = "apache") -> None:
        settings = KafkaSettings.model_validate({"bootstrap_servers": "nowhere:1", "flavour": flavour})
        super().__init__(settings, [TOPIC])
        self.looks = 0
        self._limits, self._problems = limits, list(problems)

    async def ensure_topics(self, topics: Iterable[Topic]) -> None:
        assert list(topics) == [TOPIC]
        self.looks += 1
        if self._problems:
            raise self._problems.pop(0)

    async def limits(self, names: Sequence[str]) -> dict[str, Limits]:
        assert names == [TOPIC.name]
        return {TOPIC.name: self._limits}


async def what_is_said(broker: PaperTopics, looks: int) -> list[str]:
    """The events of the log of a process that starts and is stopped after so many looks."""
    stopping = asyncio.Event()
    with capture_logs() as lines:
        guard = asyncio.create_task(TopicGuard(broker).run(stopping))
        await eventually(lambda: broker.looks == looks and (broker._checked or not broker._problems))
        stopping.set()
        await guard
    return [str(line["event"]) for line in lines]


async def test_topics_that_hold_what_we_write_are_nothing_to_speak_of() -> None:
    assert await what_is_said(PaperTopics(Limits(MAX_RECORD, DAY)), 1) == []


@pytest.mark.parametrize("limits", [Limits(MAX_RECORD - 1, DAY), Limits(MAX_RECORD, DAY / 2)])
async def test_a_topic_that_holds_less_is_named(limits: Limits) -> None:
    assert await what_is_said(PaperTopics(limits), 1) == ["topics.too_tight"]


async def test_the_embedded_broker_has_no_limits_to_tell() -> None:
    assert await what_is_said(PaperTopics(Limits(1, DAY), flavour="embedded"), 1) == []


async def test_a_broker_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup_guards, "LOOK_AGAIN", timedelta(milliseconds=1))
    away = PaperTopics(Limits(MAX_RECORD - 1, DAY), [Retryable("away"), Retryable("away")])
    assert await what_is_said(away, 3) == ["topics.too_tight"]


async def test_wrong_topics_are_named_and_end_nothing() -> None:
    wrong = PaperTopics(Limits(MAX_RECORD, DAY), [WrongTopics("too few partitions: zendesk.tickets")])
    assert await what_is_said(wrong, 1) == ["topics.wrong"]
