"""An HTTP server as a component: uvicorn on uvloop and httptools, stopped in order with the rest of the process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import uvicorn
from starlette.requests import ClientDisconnect

from supportops.errors import SupportOpsError
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.runtime.http_limits import ConnectionGuard, HttpLimits, file_descriptors
from supportops.runtime.http_protocol import GuardedProtocol

BACKLOG: Final = 2048
DEFAULT_LIMITS: Final = HttpLimits()

log = get_logger("supportops.runtime.http_server")


class CannotListen(SupportOpsError):
    """The address is taken, or not ours."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `run_until_stopped` owns the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves one ASGI app until the process stops; then takes no more and finishes what it has begun.

    `limits` hold for every client, whoever it is; their `drain` is how long open requests may take after the
    stop. Access log off: the app writes its own wide lines. With port 0 the one that was taken is in `port`
    once `started` is set. Raises CannotListen.
    """

    def __init__(
        self,
        app: Any,
        address: tuple[str, int],
        metrics: Recorder,
        name: str = "http",
        limits: HttpLimits = DEFAULT_LIMITS,
    ) -> None:
        self.name = name
        self.host, self.port = address
        self.started = asyncio.Event()
        self._app = app
        self._warnings = LimitedWarnings(log)
        self._config = uvicorn.Config(
            self._served,
            interface="asgi3",
            log_config=None,
            access_log=False,
            # A factory where uvicorn asks for a class: the guard is what its connections share.
            http=cast("Any", partial(GuardedProtocol, ConnectionGuard(name, limits, metrics))),
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=round(limits.keep_alive),
            timeout_graceful_shutdown=max(1, round(limits.drain)),
        )

    async def _served(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except (
            ClientDisconnect
        ):  # Starlette's word for a body that breaks off: anybody's doing, no bug of ours
            self._warnings.warning("http.body_broken_off", "body_broken_off", server=self.name)

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen, serve, and stop when `stopping` is set."""
        server = _Server(self._config)
        with _listen(self.host, self.port) as listener:
            self.port = int(listener.getsockname()[1])
            serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"{self.name}.uvicorn")
            stop = asyncio.create_task(stopping.wait(), name=f"{self.name}.stop")
            try:
                log.info("http.listening", server=self.name, host=self.host, port=self.port)
                self.started.set()
                await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
                server.should_exit = True
                await serving
            finally:
                stop.cancel()
                serving.cancel()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # All that wait there are accepted at once, before any of them can be refused: files must be left for our own.
    backlog = min(BACKLOG, file_descriptors() // 4)
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
