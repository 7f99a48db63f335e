"""The two ways to ask, and how to find out whether it was done: a comment with our links, or a tag (`ask_by`).

A tag may have been inherited from a follow-up's parent, and an inherited one makes nobody ask: only a tag that came
later than the ticket does (docs/vendors/zendesk.md#surprises).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from uuid_utils import uuid7

from csat.policy.csat import CsatPolicy
from csat.survey_link.invitation import SurveyText
from csat.surveys.ports import Helpdesk
from csat.surveys.repository import Mode, Survey
from supportops.vendors.zendesk import NewComment, Ticket, added_at

CLOCKS_APART = timedelta(minutes=5)
"""Zendesk's clock may be that far from ours when we tell an older tag from the one that we were about to add."""


@dataclass(frozen=True)
class DeliveredSurvey:
    """A survey that is on its ticket, and since when."""

    survey: Survey
    at: datetime


class SurveyChannels:
    """Asks by comment or by tag, as a survey's `mode` says."""

    def __init__(self, zendesk: Helpdesk, text: SurveyText, policy: CsatPolicy) -> None:
        self._zendesk, self._text, self._mode = zendesk, text, policy.ask_by
        self._tag = policy.native_tag or policy.sent_tag
        self._tags = tuple(dict.fromkeys((self._tag, policy.sent_tag)))

    async def ask(self, ticket: Ticket, survey: Survey) -> None:
        """Ask the requester, only if nobody changed the ticket since it was read. Raises Conflict otherwise."""
        if survey.mode == "native":
            await self._zendesk.add_tags(ticket.id, self._tags, updated_stamp=ticket.updated_at)
            return
        comment = NewComment(self._text.write(survey.survey_id, survey.locale), public=True)
        await self._zendesk.update_ticket(ticket.id, updated_stamp=ticket.updated_at, comment=comment)

    async def make_room(self, ticket: Ticket) -> bool:
        """Take an inherited tag away, so that Zendesk sees ours come. True: the ticket is to be read again."""
        if self._tag not in ticket.tags:
            return False
        await self._zendesk.remove_tags(ticket.id, [self._tag], updated_stamp=ticket.updated_at)
        return True

    async def forgotten(self, ticket: Ticket) -> DeliveredSurvey | None:
        """The survey that is on a ticket of which we have none written down: the database was put back.

        A comment of ours names its survey; whoever quotes it later changes nothing about when it was asked. The tag
        names none: where it was the asking, the survey gets a new id.
        """
        comments = await self._zendesk.latest_comments(ticket.id)
        for survey_id in dict.fromkeys(
            each for comment in comments for each in self._text.surveys_in(comment)
        ):
            first = [comment for comment in comments if self._text.is_in(comment, survey_id)][-1]
            at = first.created_at or ticket.updated_at
            return DeliveredSurvey(_seen(ticket, survey_id, "hosted", at), at)
        if self._mode == "native":
            tagged_at = added_at(await self._zendesk.audits(ticket.id), self._tag)
            if tagged_at is not None:
                return DeliveredSurvey(_seen(ticket, uuid7().hex, "native", tagged_at), tagged_at)
        return None

    async def arrived(self, survey: Survey, former: Sequence[Survey]) -> DeliveredSurvey | None:
        """Which survey of the ticket's is there, of the present one and those before it; None: none of them."""
        if survey.mode == "hosted" or former:
            for comment in await self._zendesk.latest_comments(survey.ticket_id):
                for each in (survey, *former):
                    if self._text.is_in(comment, each.survey_id):
                        return DeliveredSurvey(
                            replace(each, mode="hosted"), comment.created_at or survey.asking_since
                        )
        if survey.mode == "native" or former:
            at = added_at(await self._zendesk.audits(survey.ticket_id), self._tag)
            if at is not None and at >= survey.asking_since - CLOCKS_APART:
                meant = survey if survey.mode == "native" else former[0]
                return DeliveredSurvey(replace(meant, mode="native"), at)
        return None


def _seen(ticket: Ticket, survey_id: str, mode: Mode, at: datetime) -> Survey:
    """A survey by what its ticket shows of it; which solve it asked about is not known, but when."""
    return Survey(ticket.id, survey_id, at, ticket.requester_id, mode, None, at, None)
