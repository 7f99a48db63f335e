"""uvicorn with one addition: a request can ask for its connection to be closed at once (a fault)."""

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.app import create_app
from sandbox.faults import DROP
from sandbox.settings import Settings


class DroppableProtocol(HttpToolsProtocol):
    """Puts `extensions[DROP]` into the scope: its `close` resets the connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP: {"close": self.transport.abort}}


def serve(settings: Settings, host: str, port: int, log_level: str = "warning") -> None:
    """Run until SIGTERM or SIGINT."""
    app, _ = create_app(settings)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=DroppableProtocol,
        access_log=False,
        log_level=log_level,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()
