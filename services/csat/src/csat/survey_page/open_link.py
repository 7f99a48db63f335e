"""What a survey link opens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Result, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.survey_link.tokens import SurveyToken, SurveyTokens, TokenExpired, TokenInvalid
from csat.survey_page import errors
from csat.survey_page.errors import Refused
from csat.surveys import repository
from csat.surveys.repository import Survey


@dataclass(frozen=True)
class Opened:
    """The survey behind a link, and until when it may be answered."""

    survey: Survey
    expires_at: datetime


def read_link(tokens: SurveyTokens, token: str) -> SurveyToken:
    """What the link itself says. Refused when it is expired or not ours; needs no database."""
    try:
        return tokens.read(token)
    except TokenExpired:
        raise errors.expired() from None
    except TokenInvalid:
        raise errors.tampered() from None


async def open_link(conn: AsyncConnection, token: SurveyToken) -> Opened:
    """The survey that a link names. Refused when there is none, or a newer one."""
    survey = await repository.survey_with_id(conn, token.survey_id)
    if survey is None or survey.mode != "hosted":
        raise why_not(await conn.execute(former_survey(token.survey_id)))
    return Opened(survey, token.expires_at)


def former_survey(survey_id: str) -> Select[tuple[str]]:
    """The row of a survey that another one took the place of."""
    former = tables.superseded_surveys.c
    return select(former.survey_id).where(former.survey_id == survey_id)


def why_not(former: Result[Any]) -> Refused:
    """Why a survey does not open: another one took its place (there is a row of `former_survey`), or it is gone."""
    return errors.superseded() if former.first() is not None else errors.unknown()
