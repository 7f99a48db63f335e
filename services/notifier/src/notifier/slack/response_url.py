"""The address at which a slash command is answered later (docs/vendors/slack.md#requests).

It comes with a request, so it is called only where Slack itself is; it needs no token, so it is never logged.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import orjson

from notifier.slack.client import SlackRefused
from notifier.slack.message import Message
from supportops.clock import Clock
from supportops.errors import Permanent
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call
from supportops.vendors.http_client import check, make_client, map_transport_errors

LONGEST = 500  # characters of an address


def is_slacks_address(url: str, base: str) -> bool:
    """Whether an address lies below `base` (scheme, host and port are those), and is written plainly."""
    if len(url) > LONGEST or not url.isascii() or any(c <= " " or c in "\\<>\"'" for c in url):
        return False
    try:
        ours, theirs = urlsplit(base), urlsplit(url)
        same = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    except ValueError:
        return False
    below = theirs.path.startswith(f"{ours.path.rstrip('/')}/") and ".." not in theirs.path
    return same and below and "@" not in theirs.netloc and not theirs.fragment


class ResponseUrls:
    """Slack's host for such answers. `http` is bound to it, and refuses any other."""

    def __init__(self, http: httpx.AsyncClient, base: str, clock: Clock, metrics: Recorder) -> None:
        self._http, self._base, self._clock, self._metrics = http, base, clock, metrics

    async def answer(self, url: str, message: Message) -> None:
        """Show `message` to whoever asked, and to nobody else.

        SlackRefused when the address is used up, too old or not Slack's; else as `http_client.check` says.
        """
        if not is_slacks_address(url, self._base):
            raise SlackRefused("not_slacks_address")
        body = {"response_type": "ephemeral", "replace_original": False, "text": message.text}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        what = "slack response_url"
        with counted_call(self._metrics, "slack", "response_url"), map_transport_errors("POST", what):
            response = await self._http.post(url, content=orjson.dumps(body), headers=headers)
            try:
                check(response, what, now=self._clock.now())
            except Permanent as error:
                raise SlackRefused("response_url", str(response.status_code)) from error


@asynccontextmanager
async def open_response_urls(
    base: str, *, clock: Clock, metrics: Recorder, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[ResponseUrls]:
    """Answers to addresses below `base`."""
    async with make_client(base, transport=transport) as http:
        yield ResponseUrls(http, base, clock, metrics)
