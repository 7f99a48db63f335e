"""A vote cast on our page."""

from dataclasses import replace

from csat import tables
from csat.ratings.answer import Answer
from csat.ratings.repository import NewRating, Rating, record_answer
from csat.survey_page.open_link import former_survey, why_not
from csat.surveys.repository import Survey, record_sent
from supportops.store import Transaction


async def hold(tx: Transaction, survey: Survey) -> None:
    """Lock a survey that was opened before. Refused when it was replaced or erased since then."""
    rows = await tx.load(tables.surveys, [survey.ticket_id])  # votes on one survey take turns
    row = rows.get(survey.ticket_id)
    if row is None or row["survey_id"] != survey.survey_id or row["mode"] != "hosted":
        raise why_not(await tx.read(former_survey(survey.survey_id)))


async def vote(
    tx: Transaction, survey: Survey, answer: Answer, *, from_agents: bool = False, keep_comment: bool = False
) -> Rating:
    """Take it; the latest answer counts. Refused when the survey does not stand any more.

    `from_agents`: it comes from a network of the organization's agents. `keep_comment`: no comment says nothing about
    one that is saved.

    A vote also proves that the survey was sent, should its sender have died before writing that down.
    """
    await hold(tx, survey)
    await record_sent(tx, survey, survey.asking_since)
    if keep_comment:
        answer = await _with_saved_comment(tx, survey.ticket_id, answer)
    given = NewRating(answer, "hosted", survey.requester_id, tx.now, from_agents)
    cause = f"survey-sent:{survey.survey_id}"  # the id of the event that told of it
    tx.because_of(cause)
    return await record_answer(tx, survey.ticket_id, given, cause=cause)


async def _with_saved_comment(tx: Transaction, ticket_id: str, answer: Answer) -> Answer:
    """Read while the votes on this survey take turns: another machine may have saved one a moment ago."""
    row = (await tx.load(tables.ratings, [ticket_id])).get(ticket_id)
    saved = row["comment"] if row is not None else None
    return answer if answer.comment or not saved else replace(answer, comment=saved)
