"""The side port of a process: /healthz (it lives), /readyz (it makes progress), /metrics."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from supportops.config import SideSettings
from supportops.observability.health import Probe, Readiness
from supportops.observability.metrics import Metrics
from supportops.runtime.http_limits import KIB, HttpLimits
from supportops.runtime.http_server import HttpServer

SIDE_LIMITS: Final = HttpLimits(connections=64, body_bytes=KIB, held_bytes=64 * KIB, drain=1.0)


def side_app(probes: Sequence[Probe], metrics: Metrics) -> Starlette:
    """The three routes. /metrics asks the probes too, so that the ages are those of the moment."""
    readiness = Readiness(probes, metrics)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        results = await readiness.look()
        ready = all(result.ok for result in results)
        body = {"ready": ready, "probes": [asdict(result) for result in results]}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def show_metrics(_request: Request) -> Response:
        await readiness.look()
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", show_metrics)]
    )
    app.router.redirect_slashes = False  # a redirect would name the host that the request names
    return app


def side_server(settings: SideSettings, probes: Sequence[Probe], metrics: Metrics) -> HttpServer:
    """The side port as a component; every command that keeps running has one."""
    address = (settings.host, settings.port)
    return HttpServer(side_app(probes, metrics), address, metrics, "side", SIDE_LIMITS)
