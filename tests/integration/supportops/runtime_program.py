"""The process that the signal tests start: components of every temper, told by its arguments.

    python -m tests.integration.supportops.runtime_program GRACE COMPONENT...
    python -m tests.integration.supportops.runtime_program END
    python -m tests.integration.supportops.runtime_program HANGS

A component that works says "up NAME" on stdout when it has begun. END is the name of an exception in ENDS, which the
main coroutine raises while somebody is left in a thread that never ends. HANGS is the name of a command in HANGS, which
waits for a call in a thread of its own pool.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import typer
from starlette.types import Receive, Scope, Send

from supportops.config import DatabaseCommandSettings, ServiceSettings
from supportops.config.durations import parse_duration
from supportops.config.rules_file import Rules, Section
from supportops.errors import Permanent
from supportops.observability.metrics import Metrics
from supportops.runtime import supervisor
from supportops.runtime.cli import Service, build_app, execute_with
from supportops.runtime.http_server import HttpServer
from supportops.runtime.supervisor import run, run_until_stopped


class Tame:
    """Drains a little and returns."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def run(self, stopping: asyncio.Event) -> None:
        sys.stdout.write(f"up {self.name}\n")
        sys.stdout.flush()
        await stopping.wait()
        await self.drain()
        sys.stdout.write(f"drained {self.name}\n")

    async def drain(self) -> None:
        await asyncio.to_thread(lambda: None)


class Slow(Tame):
    """Would drain for ever."""

    async def drain(self) -> None:
        await asyncio.Event().wait()


class Stubborn(Tame):
    """Does not even end when it is cancelled."""

    async def drain(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                sys.stdout.write("not now\n")


class Threaded(Tame):
    """Hangs in a thread, which nobody can cancel."""

    async def drain(self) -> None:
        await asyncio.to_thread(threading.Event().wait)


class Forgetful(Tame):
    """Returns in time, and leaves somebody in a thread who never will, as the lookup of a name may."""

    async def drain(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)


class Breaks(Tame):
    """Fails at once."""

    async def run(self, stopping: asyncio.Event) -> None:
        raise RuntimeError("this component is broken")


class Ends(Tame):
    """Returns although nobody asked."""

    async def run(self, stopping: asyncio.Event) -> None:
        return


class BreaksInDrain(Tame):
    """Fails while it is stopping."""

    async def drain(self) -> None:
        raise RuntimeError("the last batch could not be written")


async def _answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("nobody asks")


class Http(Tame):
    """The HTTP component, whose library would like to own the signals."""

    async def run(self, stopping: asyncio.Event) -> None:
        server = HttpServer(_answer, ("127.0.0.1", 0), Metrics())
        serving = asyncio.create_task(server.run(stopping))
        await server.started.wait()
        await super().run(stopping)
        await serving


TEMPERS: dict[str, type[Tame]] = {
    "tame": Tame,
    "http": Http,
    "slow": Slow,
    "stubborn": Stubborn,
    "threaded": Threaded,
    "forgetful": Forgetful,
    "breaks": Breaks,
    "ends": Ends,
    "breaks-in-drain": BreaksInDrain,
}


ENDS: dict[str, BaseException] = {
    "mistake": ZeroDivisionError("our own mistake"),
    "refusal": Permanent("the token is not known here"),
    "exit": SystemExit(7),
    "exit-with-words": SystemExit("no such rule"),
    "interrupt": KeyboardInterrupt(),
}


async def break_off(error: BaseException) -> int:
    """Raise `error`, as a command does whose lookup of a name hangs."""
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    raise error


async def hang() -> int:
    """Wait for a call that hangs, in a pool that nobody waits for; say it when that ends."""
    pool = ThreadPoolExecutor(1)
    try:
        sys.stdout.write("up hang\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(pool, threading.Event().wait)
        return 0
    finally:
        await asyncio.sleep(0)
        sys.stdout.write("told\n")
        sys.stdout.flush()
        pool.shutdown(wait=False, cancel_futures=True)


async def never_tell() -> int:
    """The same, and what there is to say cannot be said."""
    try:
        return await hang()
    finally:
        await asyncio.Event().wait()


async def leave_behind() -> int:
    """End by itself while the call hangs."""
    with suppress(TimeoutError):
        await asyncio.wait_for(hang(), 0.01)
    return 3


HANGS: dict[str, Callable[[], Coroutine[Any, Any, int]]] = {
    "hang": hang,
    "never-tell": never_tell,
    "signalled-twice": never_tell,
    "leave-behind": leave_behind,
}


def hanging_command(name: str) -> None:
    """A command of a service's own command line, from its first line to the end of the process."""
    os.environ["DATABASE_URL"] = "sqlite:///nobody-opens-it.db"
    supervisor.LAST_WORDS = 0.5 if name == "never-tell" else 3600
    service = Service(
        name="csat", package="csat", about="", settings=ServiceSettings, policy=lambda: Section("csat", Rules)
    )
    app = build_app(service)

    @app.command("hang")
    def _hang() -> None:
        raise typer.Exit(execute_with(service, DatabaseCommandSettings, lambda _settings: HANGS[name]()))

    app(["hang"])


def command(name: str) -> int:
    """The same by way of a service's command line, which says what it knows in one line."""
    os.environ["DATABASE_URL"] = "sqlite:///nobody-opens-it.db"
    supervisor.CLOSING = 0.5
    service = Service(
        name="csat", package="csat", about="", settings=ServiceSettings, policy=lambda: Section("csat", Rules)
    )
    return execute_with(service, DatabaseCommandSettings, lambda _settings: break_off(ENDS[name]))


async def main(grace: timedelta, names: list[str]) -> int:
    """Run the components, then show that the old handlers are back."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    code = await run_until_stopped(*(TEMPERS[name](name) for name in names), grace=grace)
    after = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    sys.stdout.write(
        f"handlers back: {before == after}\nloop: {type(asyncio.get_running_loop()).__module__}\n"
    )
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    if sys.argv[1] in ENDS:
        sys.exit(command(sys.argv[1]))
    if sys.argv[1] in HANGS:
        hanging_command(sys.argv[1])
    sys.exit(run(main(parse_duration(sys.argv[1]), sys.argv[2:])))
