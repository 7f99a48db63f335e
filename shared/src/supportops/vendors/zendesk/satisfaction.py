"""What customers answer in Zendesk itself: legacy ratings (good, bad) and survey responses
(docs/vendors/zendesk.md#ratings).

The two exclude each other: an account has one of them. Which moment of a legacy rating is the customer's answer is not
documented; `updated_at` moves when they change their mind, so that is the one we take.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from supportops.errors import NotFound
from supportops.vendors.zendesk.calls import (
    Answer,
    Calls,
    as_model,
    digits,
    next_cursor,
    not_again,
    objects,
    read,
    read_all,
)
from supportops.vendors.zendesk.models import (
    Answered,
    Id,
    Objects,
    SatisfactionRating,
    Text,
    UtcDatetime,
    Word,
    items,
    only,
)

MANY = 100
SUBJECT = "zen:ticket:"

_RESPONSE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")


class SurveyAnswer(Answered):
    """The answer to one question; which keys it has depends on the question's kind (`type`)."""

    type: Word = ""
    rating: int | None = None
    rating_category: Word | None = None
    value: str | None = None
    selections: Objects = ()
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None


class SurveyResponse(Answered):
    """What one person answered to one survey about a ticket; before they did, there are no answers in it."""

    id: Text
    responder_id: Id | None = None
    subject_zrns: tuple[str, ...] = Field(default=())
    answers: Annotated[tuple[SurveyAnswer, ...], BeforeValidator(items)] = ()

    @property
    def ticket_id(self) -> str | None:
        """The ticket that it is about; None when it is about something else."""
        found = (each.removeprefix(SUBJECT) for each in self.subject_zrns if each.startswith(SUBJECT))
        return next(found, None)


@dataclass(frozen=True)
class Page[Row]:
    """One page of a list: rows, and the cursor of the next page (None: this was the last)."""

    rows: tuple[Row, ...]
    cursor: str | None


class Satisfaction:
    """The calls about answers, as the integration user may make them (listing ratings takes an administrator)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def rating(self, rating_id: str) -> SatisfactionRating | None:
        """A legacy rating with its moments; None when it is gone."""
        answer = await self._calls.find("rating", f"/satisfaction_ratings/{digits(rating_id)}")
        if answer is None:
            return None
        shown = {"satisfaction_rating": only(answer.get("satisfaction_rating"))}
        return read(SatisfactionRating, shown, "satisfaction_rating")

    async def ratings(self, since: datetime, until: datetime, cursor: str | None) -> Page[SatisfactionRating]:
        """A page of legacy ratings that changed between two moments, from the first page or after `cursor`."""
        query = {"start_time": _epoch(since), "end_time": _epoch(until)}
        page = await self._page("ratings", "/satisfaction_ratings", query, cursor)
        return _rows(SatisfactionRating, page, "satisfaction_ratings", cursor)

    async def responses(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> Page[SurveyResponse] | None:
        """A page of survey responses that were made between two moments; None where the account has no surveys."""
        between = {
            "filter[created_at_start]": _epoch(since),
            "filter[created_at_end]": _epoch(until),
        }
        return await self._responses(between, cursor)

    async def responses_of(self, ticket_id: str, locale: str = "en-us") -> list[SurveyResponse]:
        """The survey responses about one ticket; empty when there are none, or the account has no surveys.

        Accounts that cannot list them name them in the ticket's audits.
        """
        listed = await self._responses({"filter[subject_zrns]": f"{SUBJECT}{ticket_id}"}, None)
        if listed is not None:
            return [each for each in listed.rows if each.ticket_id in (ticket_id, None)]
        named = [await self._response(each, locale) for each in await self._named_in_audits(ticket_id)]
        return [each for each in named if each is not None]

    async def _responses(self, query: dict[str, str], cursor: str | None) -> Page[SurveyResponse] | None:
        try:
            page = await self._page("survey_responses", "/guide/survey_responses", query, cursor)
        except NotFound:
            return None
        return _rows(SurveyResponse, page, "survey_responses", cursor)

    async def _response(self, response_id: str, locale: str) -> SurveyResponse | None:
        if not (_RESPONSE_ID.fullmatch(response_id) and _LOCALE.fullmatch(locale)):
            return None
        try:
            answer = await self._calls.get(
                "survey_response", f"/guide/{locale}/survey_responses/{response_id}"
            )
        except NotFound:
            return None
        return as_model(SurveyResponse, answer.get("survey_response", answer))

    async def _named_in_audits(self, ticket_id: str) -> list[str]:
        """Ids in the events "survey response submitted"; their exact keys are not documented, so any that fits."""
        found: dict[str, None] = {}
        async for audit in self._audits(ticket_id):
            for event in objects(audit, "events"):
                if _is_response(event):
                    named = event.get("survey_response_id") or event.get("response_id")
                    found |= {str(named): None} if named else {}
        return list(found)

    async def _audits(self, ticket_id: str) -> AsyncIterator[dict[str, Any]]:
        query = {"page[size]": str(MANY)}
        async for page in self._calls.pages("audits", f"/tickets/{ticket_id}/audits", query):
            for audit in objects(page, "audits"):
                yield audit

    async def _page(self, call: str, path: str, query: dict[str, str], cursor: str | None) -> dict[str, Any]:
        paging = {"page[size]": str(MANY)} | ({"page[after]": cursor} if cursor else {})
        return await self._calls.get(call, path, query | paging)


def _rows[M: BaseModel](model: type[M], page: Answer, key: str, cursor: str | None) -> Page[M]:
    """The page after `cursor`. Retryable when it does not say where a list goes on, or names itself."""
    following = next_cursor(page, whole=True)
    if following is not None:
        not_again(following, {cursor} if cursor else set())
    return Page(tuple(read_all(model, page, key)), following)


def _is_response(event: dict[str, Any]) -> bool:
    kind = "".join(char for char in str(event.get("type", "")).lower() if char.isalpha())
    return "surveyresponse" in kind


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))
