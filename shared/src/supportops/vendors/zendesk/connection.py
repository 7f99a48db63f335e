"""The HTTP client for one Zendesk account with its credential: an OAuth client, or an API token while they last."""

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from supportops.clock import Clock
from supportops.config import ZendeskSettings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.vendors.http_client import BoundAuth, make_client
from supportops.vendors.zendesk.oauth import OAuthClient, open_oauth

log = get_logger("supportops.zendesk")


@asynccontextmanager
async def open_connection(
    settings: ZendeskSettings,
    scopes: Sequence[str],
    *,
    clock: Clock,
    metrics: Recorder,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose addresses begin at `/api/v2`; `scopes` are what its tokens may do."""
    async with AsyncExitStack() as stack:
        authorization: str | BoundAuth
        if (client := _oauth_client(settings, scopes)) is not None:
            authorization = await stack.enter_async_context(
                open_oauth(client, clock=clock, metrics=metrics, transport=transport)
            )
        else:
            log.warning("zendesk.api_token_ends", reason=settings.token_warning(clock.now().date()))
            authorization = _basic(settings)
        yield await stack.enter_async_context(
            make_client(f"{settings.base_url}/api/v2", authorization=authorization, transport=transport)
        )


def _oauth_client(settings: ZendeskSettings, scopes: Sequence[str]) -> OAuthClient | None:
    if settings.client_id is None or settings.client_secret is None:
        return None
    return OAuthClient(settings.base_url, settings.client_id, settings.client_secret, scopes)


def _basic(settings: ZendeskSettings) -> str:
    """The header of an API token; a secret."""
    token = settings.token.get_secret_value() if settings.token is not None else ""
    return f"Basic {b64encode(f'{settings.email}/token:{token}'.encode()).decode()}"
