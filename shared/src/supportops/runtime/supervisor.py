"""Runs the components of a process together, and stops them in order.

Exit codes: 0 stopped as asked; 1 a component failed or ended by itself; 124 stopped as asked, but something
did not finish within the grace time and was cancelled; 130 / 143 a second SIGINT / SIGTERM, at once, or the first
one of a command that ends by itself otherwise.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, NoReturn, Protocol

from supportops.errors import SupportOpsError
from supportops.observability.logging import get_logger

log = get_logger("supportops.runtime.supervisor")

CLEAN, FAILED, GRACE_EXCEEDED = 0, 1, 124
CLOSING = 2.0  # seconds
LAST_WORDS = 5.0
"""Seconds that an interrupted command has to say in its rows that it was interrupted."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

type Handler = Callable[[int, FrameType | None], Any] | int | None


class Component(Protocol):
    """A part of a process that works until it is told to stop."""

    @property
    def name(self) -> str:
        """Its name in logs."""
        ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Work; after `stopping` is set take no more, finish what is in hand and return."""
        ...


class _Supervisor:
    """Watches the components of one process: the first that fails, or a signal, stops all of them."""

    def __init__(self, exit_now: Callable[[int], object]) -> None:
        self.stopping = asyncio.Event()
        self.failed = False
        self._exit_now = exit_now

    def on_signal(self, number: signal.Signals) -> None:
        if self.stopping.is_set():
            log.warning("process.exit_at_once", signal=number.name)
            self._exit_now(128 + number)
        log.info("process.stopping", signal=number.name)
        self.stopping.set()

    async def watch(self, component: Component) -> None:
        """Run one component; whatever escapes it is logged here and stops the others in order."""
        try:
            await component.run(self.stopping)
        except SupportOpsError as error:
            log.error("component.failed", component=component.name, reason=str(error))
            self.failed = True
        except Exception:  # the one place where a process answers for a component's failure
            log.exception("component.failed", component=component.name)
            self.failed = True
        else:
            if self.stopping.is_set():
                log.info("component.stopped", component=component.name)
                return
            log.error(
                "component.ended",
                component=component.name,
                reason="returned although nobody asked it to stop",
            )
            self.failed = True
        self.stopping.set()


async def run_until_stopped(
    *components: Component,
    grace: timedelta,
    exit_now: Callable[[int], object] = os._exit,
) -> int:
    """Run `components` until SIGTERM, SIGINT or the first failure; returns the exit code (see above).

    After that the components have `grace` to drain, then they are cancelled. One that does not even end when
    cancelled is left behind: `exit_now` ends the process after another quarter of `grace` (at least 1 s).
    """
    supervisor = _Supervisor(exit_now)
    with _signals(supervisor.on_signal):
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(supervisor.watch(each), name=each.name): each for each in components}
            await supervisor.stopping.wait()
            _, late = await asyncio.wait(tasks, timeout=grace.total_seconds()) if tasks else (set(), set())
            await _cancel(late, max(1.0, grace.total_seconds() / 4), exit_now)
    if supervisor.failed:
        return FAILED
    return GRACE_EXCEEDED if late else CLEAN


async def _cancel(late: set[asyncio.Task[None]], patience: float, exit_now: Callable[[int], object]) -> None:
    for task in late:
        log.error(
            "component.cancelled", component=task.get_name(), reason="not finished within the grace time"
        )
        task.cancel()
    if late and (stuck := (await asyncio.wait(late, timeout=patience))[1]):
        log.error("process.exit_at_once", stuck=sorted(task.get_name() for task in stuck))
        exit_now(GRACE_EXCEEDED)


@contextmanager
def _signals(on_signal: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Send SIGTERM and SIGINT to `on_signal`; the handlers of before are put back afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals: in another one we are stopped by other means
        return
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Handler] = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, partial(on_signal, number))
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a service's main coroutine on uvloop (where there is one) and return its exit code.

    SIGINT and SIGTERM cancel `main` (130, 143); within `run_until_stopped` they are its own. A second one ends at once.
    Once `main` has ended, also by an exception, who is left in a thread that cannot be cancelled (the lookup of a name
    that hangs) holds the loop up for CLOSING at most; then the process says the exception and ends with its exit code.
    """
    try:
        with ExitStack() as closed, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            try:
                code = runner.run(_interruptible(main))
            except BaseException as error:
                closed.callback(_leave_later(partial(_give_up, error)).cancel)
                raise
            if code == GRACE_EXCEEDED:  # a thread that hangs would hold up the interpreter's own end
                _leave(code)
            closed.callback(_leave_later(partial(_leave, code)).cancel)
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _interruptible(main: Coroutine[Any, Any, int]) -> int:
    """As `main`, which the first signal cancels: it has LAST_WORDS to tidy up and to say so."""
    if threading.current_thread() is not threading.main_thread():
        return await main
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    heard: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        code = 128 + number
        if heard or task is None:
            os._exit(code)
        heard.append(code)
        late.callback(_later(LAST_WORDS, partial(os._exit, code)).cancel)
        loop.call_soon_threadsafe(task.cancel)

    with ExitStack() as late:
        for number in STOP_SIGNALS:
            late.callback(signal.signal, number, signal.getsignal(number))
            signal.signal(number, on_signal)
        try:
            return await main
        except asyncio.CancelledError:
            if not heard:
                raise
            return heard[0]


@contextmanager
def threads_left_to_themselves() -> Iterator[None]:
    """The whole of a process: after it, threads that were begun in it hold the interpreter's end for CLOSING at most.

    A call that hangs in a pool of threads cannot be cancelled, and Python would wait for it.
    """
    before = set(threading.enumerate())
    ended: Callable[[], NoReturn] = partial(_leave, CLEAN)
    try:
        yield
    except SystemExit as error:
        ended = partial(_leave, _code_of(error))
        raise
    except BaseException:  # the interpreter says it
        ended = partial(_leave, FAILED)
        raise
    finally:

        def leave() -> None:
            if any(not each.daemon for each in set(threading.enumerate()) - before):
                ended()

        _leave_later(leave)


def _leave_later(leave: Callable[[], object]) -> threading.Timer:
    return _later(CLOSING, leave)


def _later(seconds: float, leave: Callable[[], object]) -> threading.Timer:
    late = threading.Timer(seconds, leave)
    late.daemon = True
    late.start()
    return late


def _give_up(error: BaseException) -> NoReturn:
    """End as the interpreter ends when nobody catches `error`."""
    if isinstance(error, KeyboardInterrupt):
        _leave(128 + signal.SIGINT)
    if not isinstance(error, SystemExit):
        sys.excepthook(type(error), error, error.__traceback__)
        _leave(FAILED)
    if isinstance(error.code, str):
        sys.stderr.write(f"{error.code}\n")
    _leave(_code_of(error))


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or CLEAN
    return FAILED


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
