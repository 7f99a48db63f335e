"""Slack's requests to us: read within limits, believed only with a signature, of our workspace only.

Slack waits three seconds for the answer; what takes longer is a delivery.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from notifier.settings import SlackRequestsSettings
from notifier.slack.signature import is_slacks, signed
from notifier.slack.text import clean
from notifier.tables import slack_requests
from supportops.clock import Clock
from supportops.observability.logging import get_logger
from supportops.store import Transaction, is_outage
from supportops.store.upsert import insert_for

MOST = 1024 * 1024  # bytes of a body
PATIENCE = timedelta(seconds=2)  # of the three that Slack waits
NOT_SLACK = "this is not signed by Slack"
NOT_OURS = "this is not from our workspace"

log = get_logger("notifier.slack")
_going_on: set["asyncio.Task[object]"] = set()  # the loop itself keeps no task alive


@dataclass(frozen=True)
class Click:
    """Somebody pressed a button of ours. `home`: the workspace of that person, None when it is not told; `name`: what
    Slack calls them.
    """

    id: str
    action: str
    value: str
    user: str
    home: str | None
    channel: str
    name: str = ""


@dataclass(frozen=True)
class SlackRequests:
    """Reads what Slack sends; raises HTTPException for what is not Slack's, or not our workspace's."""

    settings: SlackRequestsSettings
    clock: Clock
    secrets: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = (self.settings.signing_secret, self.settings.previous_signing_secret)
        object.__setattr__(
            self, "secrets", tuple(each.get_secret_value() for each in given if each is not None)
        )

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a signed form."""
        return self.fields(await self.signed_body(request))

    def fields(self, body: bytes) -> dict[str, str]:
        """The fields of a form."""
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
        except (UnicodeDecodeError, ValueError) as error:
            raise HTTPException(400, "a form in UTF-8 is needed") from error
        return dict(fields)

    async def signed_body(self, request: Request) -> bytes:
        """The raw body, when it is Slack's. What cannot be is refused before its body is read."""
        if signed(request.headers.raw, self.clock.now()) is None:
            raise HTTPException(401, NOT_SLACK)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST:
                raise HTTPException(413, "too large")
        if not is_slacks(request.headers.raw, bytes(body), self.secrets, self.clock.now()):
            raise HTTPException(401, NOT_SLACK)
        return bytes(body)

    async def clicks(self, request: Request) -> list[Click]:
        """The pressed buttons of a signed interaction; none for other kinds of interaction."""
        try:
            payload = orjson.loads((await self.form(request)).get("payload", ""))
        except orjson.JSONDecodeError as error:
            raise HTTPException(400, "`payload` must be JSON") from error
        if not isinstance(payload, dict):
            raise HTTPException(400, "`payload` must be an object")
        return self.clicks_in(payload)

    def clicks_in(self, payload: Mapping[str, Any]) -> list[Click]:
        """The pressed buttons of an interaction of our workspace."""
        self.refuse_other_teams(_word(payload, "team", "id"))
        actions = payload.get("actions")
        if payload.get("type") != "block_actions" or not isinstance(actions, list):
            return []
        return [_click(payload, each) for each in actions if isinstance(each, dict)]

    def refuse_other_teams(self, team: str | None) -> None:
        """403 for another workspace than the configured one."""
        if self.settings.team_id is not None and team != self.settings.team_id:
            raise HTTPException(403, NOT_OURS)

    def is_outsider(self, home: str | None) -> bool:
        """Whether somebody belongs to another workspace (guests of a shared channel). Not told: one of ours."""
        return self.settings.team_id is not None and home is not None and home != self.settings.team_id


async def in_time(work: Coroutine[Any, Any, object]) -> bool:
    """Whether work on our database ended within Slack's patience; False when that is slow or away.

    Slow work goes on: what was asked for is done once, however late, or never, which is logged.
    """
    task = asyncio.create_task(work, name="slack.request")
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    done, _ = await asyncio.wait([task], timeout=PATIENCE.total_seconds())
    if not done:
        log.warning("slack.request_slow", seconds=PATIENCE.total_seconds())
        task.add_done_callback(_ended)
        return False
    error = task.exception()
    if error is not None and not is_outage(error):
        raise error
    return not _tell(error)


def _ended(task: "asyncio.Task[object]") -> None:
    if not task.cancelled():
        _tell(task.exception())


def _tell(error: BaseException | None) -> bool:
    if error is not None:
        log.warning("slack.request_lost", reason=type(error).__name__)
    return error is not None


async def is_first(tx: Transaction, request_id: str) -> bool:
    """Whether nobody took that request before, in this process or another; from now on somebody did."""
    new = insert_for(tx.dialect, slack_requests).on_conflict_do_nothing().returning(slack_requests.c.id)
    taken = await tx.execute(new, {"id": request_id, "received_at": tx.now})
    return taken.first() is not None


def _click(payload: Mapping[str, Any], action: Mapping[str, Any]) -> Click:
    name, at, value = (clean(str(action.get(each, ""))) for each in ("action_id", "action_ts", "value"))
    user, name = _word(payload, "user", "id") or "", name[:255]
    return Click(
        id=f"click:{user}:{at[:64]}:{name}",
        action=name,
        value=value[:2_000],
        user=user,
        home=_word(payload, "user", "team_id"),
        channel=_word(payload, "channel", "id") or _word(payload, "container", "channel_id") or "",
        name=_word(payload, "user", "name") or _word(payload, "user", "username") or "",
    )


def _word(payload: Mapping[str, Any], *path: str) -> str | None:
    found: Any = payload
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return clean(found)[:64] or None if isinstance(found, str) else None
