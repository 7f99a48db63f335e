"""What a survey link opens."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
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
        raise await why_not(conn, token.survey_id)
    return Opened(survey, token.expires_at)


async def why_not(conn: AsyncConnection, survey_id: str) -> Refused:
    """Why the survey does not open: another one took its place, or it is gone."""
    former = tables.superseded_surveys.c
    query = select(former.survey_id).where(former.survey_id == survey_id)
    if (await conn.execute(query)).first() is not None:
        return errors.superseded()
    return errors.unknown()
