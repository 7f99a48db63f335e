"""run_until_stopped with real processes and real signals: drain, grace, second signal, exit codes."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from supportops.runtime.http_server import CannotListen
from supportops.runtime.supervisor import CLEAN, FAILED, GRACE_EXCEEDED, run_until_stopped
from tests.support.eventually import eventually, eventually_now
from tests.support.forks import ForkedChild
from tests.support.processes import ChildProcess, python_module

PROGRAM = "tests.integration.supportops.runtime_program"

type Start = Callable[..., ChildProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the program; with `up` wait until so many components say that they work."""
    children: list[ChildProcess] = []

    def start(grace: str, *components: str, up: int | None = None) -> ChildProcess:
        child = ForkedChild(python_module(PROGRAM, grace, *components), log=tmp_path / str(len(children)))
        children.append(child)
        child.start()
        wanted = len(components) if up is None else up
        eventually_now(lambda: child.tail(1000).count("up ") >= wanted, within=20, about="components up")
        return child

    yield start
    for child in children:
        child.kill()


def _wait_for(words: str, child: ChildProcess) -> None:
    eventually_now(lambda: words in child.tail(1000), within=20, about=words)


def _end(child: ChildProcess, within: float = 10) -> int:
    eventually_now(lambda: not child.running, within=within, about="the process has ended")
    assert child.returncode is not None
    return child.returncode


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_all_and_ends_with_0(start: Start, sign: signal.Signals) -> None:
    child = start("10s", "tame", "tame")
    assert child.end(sign, within=10) == CLEAN
    said = child.tail()
    assert said.count("drained tame") == 2
    assert "handlers back: True" in said
    assert "loop: uvloop" in said


def test_the_http_component_leaves_the_signals_to_us(start: Start) -> None:
    child = start("10s", "http", "tame")
    assert child.end(signal.SIGTERM, within=10) == CLEAN
    assert "process.stopping" in child.tail()
    assert child.tail().count("drained") == 2


def test_a_drain_longer_than_the_grace_time_is_cancelled(start: Start) -> None:
    child = start("300ms", "slow", "tame")
    assert child.end(signal.SIGTERM, within=10) == GRACE_EXCEEDED
    assert "drained tame" in child.tail()
    assert "component.cancelled" in child.tail()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start: Start, sign: signal.Signals) -> None:
    child = start("1h", "slow")
    os.kill(child.pid, sign)
    eventually_now(lambda: "process.stopping" in child.tail(), within=10)
    assert child.end(sign, within=5) == 128 + sign


def test_who_does_not_end_when_cancelled_does_not_hold_the_process(start: Start) -> None:
    child = start("200ms", "stubborn")
    assert child.end(signal.SIGTERM, within=10) == GRACE_EXCEEDED
    assert "process.exit_at_once" in child.tail()


def test_a_thread_that_hangs_does_not_hold_the_process(start: Start) -> None:
    child = start("200ms", "threaded")
    assert child.end(signal.SIGTERM, within=10) == GRACE_EXCEEDED


def test_who_is_forgotten_in_a_thread_does_not_hold_a_process_that_is_done(start: Start) -> None:
    """A lookup of a name that hangs holds a process: such a thread cannot be cancelled."""
    child = start("10s", "forgetful", "tame")
    assert child.end(signal.SIGTERM, within=10) == CLEAN
    assert child.tail().count("drained") == 2


def test_nor_a_process_that_ends_by_an_exception(start: Start) -> None:
    """The exit code is the interpreter's own, and what went wrong is said once."""
    ends = {
        "mistake": (1, "ZeroDivisionError: our own mistake"),
        "refusal": (1, "csat: the token is not known here"),
        "exit": (7, ""),
        "exit-with-words": (1, "no such rule"),
        "interrupt": (130, ""),
    }
    children = {end: start(end, up=0) for end in ends}
    for end, child in children.items():
        code, words = ends[end]
        assert _end(child) == code
        assert child.tail().count(words or "Traceback") == (1 if words else 0)
        assert ("Traceback" in child.tail()) == (end == "mistake")


def test_a_call_that_hangs_does_not_hold_a_command(start: Start) -> None:
    """Neither one that is interrupted, which says first what there is to say, nor one that ends by itself."""
    ends: list[tuple[str, tuple[signal.Signals, ...], int]] = [
        ("hang", (signal.SIGINT,), 130),
        ("hang", (signal.SIGTERM,), 143),
        ("never-tell", (signal.SIGTERM,), 143),
        ("signalled-twice", (signal.SIGINT, signal.SIGTERM), 143),
        ("leave-behind", (), 3),
    ]
    children = [start(name, up=0) for name, *_ in ends]
    for child, (_name, signals, _code) in zip(children, ends, strict=True):
        said = ["up hang", *("told" for _ in signals[1:])]
        for sign, words in zip(signals, said, strict=False):
            _wait_for(words, child)
            os.kill(child.pid, sign)
    for child, (name, _signals, code) in zip(children, ends, strict=True):
        assert _end(child) == code
        assert "told" in child.tail()
        assert ("csat: interrupted" in child.tail()) == (name == "hang")
        assert "Traceback" not in child.tail()


def test_a_component_that_breaks_stops_the_others_in_order(start: Start) -> None:
    child = start("10s", "tame", "breaks", up=1)
    assert _end(child) == FAILED
    assert "this component is broken" in child.tail()
    assert "drained tame" in child.tail()


def test_a_component_that_ends_by_itself_is_a_failure(start: Start) -> None:
    child = start("10s", "ends", "tame", up=1)
    assert _end(child) == FAILED
    assert "component.ended" in child.tail()
    assert "drained tame" in child.tail()


def test_a_failure_while_stopping_is_a_failure(start: Start) -> None:
    child = start("10s", "breaks-in-drain", "tame")
    assert child.end(signal.SIGTERM, within=10) == FAILED


def test_a_failure_outweighs_the_grace_time(start: Start) -> None:
    child = start("200ms", "breaks", "slow", up=1)
    assert _end(child) == FAILED


class Waits:
    """A component of this process."""

    def __init__(self) -> None:
        self.name = "waits"
        self.begun = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        self.begun.set()
        await stopping.wait()


async def test_the_handlers_of_before_are_put_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    component = Waits()
    running = asyncio.create_task(run_until_stopped(component, grace=timedelta(seconds=5)))
    await component.begun.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == CLEAN
    assert {number: signal.getsignal(number) for number in before} == before


class Refuses:
    """A component that knows what is wrong."""

    name = "http"

    async def run(self, stopping: asyncio.Event) -> None:
        raise CannotListen("cannot listen on 127.0.0.1:9090: Address already in use")


async def test_a_known_mistake_is_one_line_without_a_traceback() -> None:
    with structlog.testing.capture_logs() as lines:
        assert await run_until_stopped(Refuses(), grace=timedelta(seconds=1)) == FAILED
    (line,) = [line for line in lines if line["event"] == "component.failed"]
    assert line["reason"] == "cannot listen on 127.0.0.1:9090: Address already in use"
    assert "exc_info" not in line


async def test_a_process_without_components_waits_for_its_signal() -> None:
    running = asyncio.create_task(run_until_stopped(grace=timedelta(seconds=1)))
    await eventually(lambda: signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == CLEAN
