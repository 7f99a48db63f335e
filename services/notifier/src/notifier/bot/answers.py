"""Answers questions that were taken down: whether, what, and to whom.

A question is a delivery. It is answered within seconds or with the words that somebody does not answer; after a crash
it is answered by another worker; one that nobody could answer in time is not answered any more.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from notifier.bot import figures, tickets
from notifier.bot.context import BotContext, NoAnswer
from notifier.bot.gate import Admitted, Refused
from notifier.bot.parts import Words, answer, line, ours, told
from notifier.bot.questions import Asked, Question, understood
from notifier.destinations import BOT_ANSWERS
from notifier.slack.client import SlackClient, SlackRateLimited, SlackRefused
from notifier.slack.message import Message
from notifier.slack.response_url import ResponseUrls
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, Snooze

TOO_OLD = timedelta(minutes=25)  # Slack takes answers to a command for half an hour
SECOND = timedelta(seconds=1)
SLOW = "That took too long: whoever has to be asked does not answer. Please ask again."


HELP = (
    "`views`: the views of Zendesk with their ticket counts and how old those are",
    "`view NAME`: one view, with its first tickets",
    "`ticket 12345`: what was said of a ticket, and what waits",
    "`breaching`: the next ten SLA targets to breach, with the time left",
    "`csat`: this week's satisfaction, its target, and of how many ratings",
    "`mine`: what waits and is assigned to you",
    "`help`: this",
)


class Replies:
    """Where an answer goes: to who asked alone, or below the question where only our own people read."""

    def __init__(self, slack: SlackClient, response_urls: ResponseUrls) -> None:
        self._slack, self._response_urls = slack, response_urls

    async def send(self, question: Question, message: Message, *, openly: bool) -> None:
        """Send an answer. Raises what Slack's clients raise."""
        if question.response_url is not None:
            await self._response_urls.answer(question.response_url, message)
        elif openly:
            metadata = {"event_type": "bot_answer", "event_payload": {"key": question.id}}
            await self._slack.post(question.channel, message, metadata, question.thread)
        else:
            await self._slack.post_ephemeral(question.channel, question.user, message.text)


class BotAnswers:
    """Answers; lane = who asks, so that one person's questions do not hold up another's."""

    def __init__(self, context: BotContext, replies: Replies) -> None:
        self._context, self._replies = context, replies
        times = (SECOND, 3 * SECOND, 10 * SECOND, 30 * SECOND, *[timedelta(minutes=1)] * 24)
        self.spec = DestinationSpec(BOT_ANSWERS, concurrency=8, schedule=times, idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._one(delivery) for delivery in deliveries]

    async def _one(self, delivery: Delivery) -> Outcome:
        question = Question.of(delivery.payload)
        if self._context.now - question.moment > TOO_OLD:
            return Cancel("too old to be answered")
        asked = understood(question.text)
        try:
            admitted = await self._context.gate.admit(question, asked)
            if isinstance(admitted, Refused):
                return await self._refuse(question, admitted)
            await self._replies.send(question, await self._answered(asked, admitted), openly=admitted.openly)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error))
        except SlackRefused as error:  # the address is used up, the channel is gone, or they left it
            return Cancel(str(error))
        self._context.metrics.count("bot_questions", outcome="answered")
        return Done({"command": asked.command if asked.is_known else "unknown"})

    async def _refuse(self, question: Question, refused: Refused) -> Outcome:
        self._context.metrics.count("bot_questions", outcome="refused")
        await self._replies.send(question, answer(ours(refused.words)), openly=False)
        return Cancel(refused.words)

    async def _answered(self, asked: Asked, admitted: Admitted) -> Message:
        try:
            async with asyncio.timeout(self._context.rules.patience.total_seconds()):
                return await self._made(asked, admitted)
        except NoAnswer as error:
            return answer(ours(str(error)))
        except TimeoutError:
            return answer(ours(SLOW))

    async def _made(self, asked: Asked, admitted: Admitted) -> Message:
        match asked.command:
            case "views":
                return await figures.views(self._context)
            case "view":
                return await figures.view(self._context, asked.argument)
            case "ticket":
                return await tickets.ticket(self._context, asked.argument)
            case "breaching":
                return await tickets.next_to_breach(self._context)
            case "csat":
                return await figures.csat(self._context)
            case "mine":
                return await tickets.mine(self._context, admitted.person)
            case "help":
                return help_answer()
        unknown = line(ours("I do not know "), told(asked.command, 60), ours(". I know:"))
        return help_answer(unknown)


def help_answer(*before: Words) -> Message:
    """What can be asked."""
    return answer(*before, *(line(ours("• "), ours(each)) for each in HELP))
