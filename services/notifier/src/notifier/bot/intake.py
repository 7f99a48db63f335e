"""Takes questions down over HTTP: believed only with Slack's signature, answered within Slack's three seconds.

What is asked becomes a delivery, and its id a row: whichever replica Slack sends a copy to, it is answered once. No
vendor is called here, so nothing but our own database can be slow, and that has two seconds; then it goes on unheard.
"""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException

from notifier.bot.questions import Question, of_command, of_mention, teams_of
from notifier.destinations import BOT_ANSWERS
from notifier.slack.requests import NOT_OURS, SlackRequests, in_time, is_first
from supportops.store import Store

LOOKING = "Looking …"
AWAY = "My database does not answer, so I may not have taken that down. If nothing comes within a minute, ask again."


async def take_down(store: Store, question: Question) -> bool:
    """Have a question answered; False when it was taken before. Raises what the database raises."""
    async with store.transaction() as tx:
        if not await is_first(tx, question.id):
            return False
        tx.deliveries.schedule(BOT_ANSWERS, question.id, lane=question.user, payload=question.payload())
    return True


async def answer_command(store: Store, requests: SlackRequests, fields: dict[str, str], body: bytes) -> str:
    """Take a slash command of our workspace down; what its sender sees at once."""
    question = of_command(fields, body, requests.clock.now())
    return LOOKING if await in_time(take_down(store, question)) else AWAY


async def take_event(store: Store, requests: SlackRequests, payload: Mapping[str, Any]) -> bool:
    """Take an event of our workspace down; False when it must come again. What asks nothing is left."""
    question = of_mention(payload, requests.clock.now())
    return question is None or await in_time(take_down(store, question))


def refuse_other_events(requests: SlackRequests, payload: Mapping[str, Any]) -> None:
    """403 for an event that was not sent for our workspace."""
    if requests.settings.team_id is not None and requests.settings.team_id not in teams_of(payload):
        raise HTTPException(403, NOT_OURS)


def ephemeral(text: str) -> dict[str, Any]:
    """An answer at once, for who asked alone."""
    return {"response_type": "ephemeral", "text": text}
