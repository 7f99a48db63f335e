"""Measured process: csat's HTTP side on a database with history, and beside it a floor that asks for `select 1`.

Arguments: URL PORT. Pages are let in by the header of a proxy that authenticates.
"""

import sys
from datetime import timedelta

from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.routes import SurveyPage
from csat.web import PAGES, START, create_app
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, LogSettings
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime.http_server import HttpServer
from supportops.runtime.supervisor import run, run_until_stopped
from supportops.store import Store, open_store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of

TOKEN = "operators-only-0123456789"  # nosec B105 # of a server that lives as long as its measurement
HEADERS = {"X-Forwarded-User": "bench", "X-Csat-Proxy-Secret": TOKEN}


def application(store: Store) -> FastAPI:
    """csat as it is served, with one more route."""
    settings = OperatorsSettings.model_validate(
        {"proxy_header": "X-Forwarded-User", "proxy_secret": TOKEN, "session_keys": ()}
    )
    site = site_of(settings, "csat", START, PAGES, "https://csat.example.com")
    auth = OperatorAuth(settings, site, store, Metrics(), SecretStr(TOKEN))
    tokens = SurveyTokens([TOKEN], timedelta(days=28), store.clock)
    policy = CsatPolicy()
    app = create_app(store, policy, auth, SurveyPage(store, tokens, policy))

    @app.get("/floor")
    async def floor() -> dict[str, int]:
        async with store.reading() as conn:
            return {"one": (await conn.execute(text("SELECT 1"))).scalar_one()}

    return app


async def main(url: str, port: str) -> int:
    """Serve until told to stop."""
    configure(LogSettings(level="error"), service="bench")
    settings = DatabaseSettings.model_validate({"url": url})
    async with open_store(settings, clock=SystemClock()) as store:
        server = HttpServer(application(store), ("127.0.0.1", int(port)), Metrics(), "numbers")
        return await run_until_stopped(server, grace=timedelta(seconds=5))


if __name__ == "__main__":
    sys.exit(run(main(*sys.argv[1:])))
