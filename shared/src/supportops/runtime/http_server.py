"""An HTTP server as a component: uvicorn on uvloop and httptools, stopped in order with the rest of the process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import uvicorn

from supportops.errors import SupportOpsError
from supportops.observability.logging import get_logger

BACKLOG = 2048

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

    `drain` is how long open requests may take after the stop; keep it below the process's grace time.
    Access log off: the app writes its own wide lines. With port 0 the one that was taken is in `port` once
    `started` is set. Raises CannotListen.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        name: str = "http",
        *,
        drain: timedelta = timedelta(seconds=10),
    ) -> None:
        self.name, self.host, self.port = name, host, port
        self.started = asyncio.Event()
        self._config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            http="httptools",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(drain.total_seconds())),
        )

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
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
