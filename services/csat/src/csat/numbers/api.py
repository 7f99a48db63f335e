"""The numbers as JSON, behind a bearer token."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, SecretStr

from csat.numbers import counting
from supportops.store import Store


class KpiReply(BaseModel):
    """`kpi` is good / (good + bad), from 0 to 1, and null while nobody has answered (handbook C2)."""

    good: int
    bad: int
    offered: int
    kpi: float | None


def mount_api(app: FastAPI, store: Store, api_token: SecretStr) -> None:
    """The routes below /api."""

    @app.get("/api/kpi", dependencies=[Depends(_bearer(api_token))])
    async def kpi() -> KpiReply:
        """Good, bad, offered, and the KPI of handbook C2."""
        async with store.reading() as conn:
            numbers = await counting.kpi(conn)
        return KpiReply(good=numbers.good, bad=numbers.bad, offered=numbers.offered, kpi=numbers.value)


def _bearer(expected: SecretStr) -> Callable[..., None]:
    def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        wanted = expected.get_secret_value().encode()
        if given is None or not hmac.compare_digest(given.credentials.encode(), wanted):
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})

    return check
