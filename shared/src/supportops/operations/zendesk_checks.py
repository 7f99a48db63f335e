"""The doctor's checks of the way into Zendesk that every service shares: which credential, for how long, of whom."""

from collections.abc import Iterable, Sequence

from supportops.clock import Clock
from supportops.config import ZendeskSettings
from supportops.config.zendesk_settings import API_TOKENS_END
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding, Verdict
from supportops.vendors.http_client import map_transport_errors
from supportops.vendors.zendesk.calls import check_answer
from supportops.vendors.zendesk.connection import open_connection

LOGIN_REMEDY = (
    "Check ZENDESK_BASE_URL and the OAuth client, or whatever ZENDESK_TOKEN is: docs/setup/zendesk.md."
)


def credential(settings: ZendeskSettings, clock: Clock) -> Finding:
    """Which way in is set; an API token is a warning with its last day, from that day on a failure."""
    today = clock.now().date()
    if warning := settings.token_warning(today):
        verdict: Verdict = "failed" if today >= API_TOKENS_END else "warning"
        return Finding("zendesk credential", verdict, warning, "docs/setup/zendesk.md shows the steps.")
    return Finding("zendesk credential", "ok", f"OAuth client {settings.client_id}")


def login_check(settings: ZendeskSettings, scopes: Sequence[str], clock: Clock) -> Check:
    """The credential opens the account, for a user who may see tickets."""

    async def look() -> Iterable[Finding]:
        found = [credential(settings, clock)]
        async with open_connection(settings, scopes, clock=clock, metrics=Metrics()) as zendesk:
            try:
                with map_transport_errors("GET", "zendesk users/me"):
                    response = await zendesk.get("/users/me")
                check_answer(response, "zendesk users/me", now=clock.now())
            except DestinationPaused as error:
                return [*found, Finding("zendesk login", "failed", str(error), LOGIN_REMEDY)]
        return [*found, Finding("zendesk login", "ok", f"with {' '.join(scopes)}")]

    return Check("zendesk login", look, LOGIN_REMEDY)
