"""A vote cast on our page."""

from csat import tables
from csat.answers.scoring import Answer
from csat.answers.votes import Given, Rating, record_answer
from csat.asking.records import Survey, record_sent
from supportops.store import Transaction


async def vote(tx: Transaction, survey: Survey, answer: Answer) -> Rating:
    """Take it; the latest answer counts.

    A vote also proves that the survey was sent, should its sender have died before writing that down.
    """
    await tx.load(tables.surveys, [survey.ticket_id])  # locks: votes on one survey take turns
    await record_sent(tx, survey, survey.asking_since)
    given = Given(answer, "hosted", survey.requester_id, tx.now)
    return await record_answer(tx, survey.ticket_id, given, cause=f"survey-sent:{survey.survey_id}")
