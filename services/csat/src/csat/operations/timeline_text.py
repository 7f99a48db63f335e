"""A timeline in words: one line per happening, oldest first, and how things stand. Pure.

A customer's words are told only where they were asked for: what a command prints ends up in chats and tickets.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from csat.destinations import SURVEY
from csat.operations.timeline import Timeline, timeline_of
from csat.surveys.repository import solve_key
from supportops.operations.delivery_history import Row
from supportops.operations.timeline import (
    Explanation,
    Line,
    attempts_of,
    call_document,
    given_up_because,
    span,
    waits_of,
    when,
)


async def explain_ticket(conn: AsyncConnection, ticket_id: str, now: datetime, words: bool) -> Explanation:
    """The ticket's story as of `now`; `words`: with the customers' comments."""
    timeline = await timeline_of(conn, ticket_id, now)
    lines = lines_of(timeline, words=words)
    return Explanation(timeline.known, standing(timeline), lines, document(timeline, words=words))


def lines_of(timeline: Timeline, *, words: bool = False) -> list[Line]:
    """The whole story, oldest first; `words`: with the comments of answers."""
    lines = [
        *_events(timeline),
        *_decisions(timeline),
        *_survey(timeline),
        *_issue(timeline),
        *_opt_out(timeline),
    ]
    lines += [line for answer in timeline.answers for line in _answer(answer, words=words)]
    lines += [line for call in timeline.calls for line in attempts_of(call)]
    return sorted(lines, key=lambda line: line.at)


def standing(timeline: Timeline) -> dict[str, str]:
    """How things stand now, by name: the ticket, its survey, what waits, how it counts."""
    waits = waits_of(timeline.calls, timeline.now)
    stands = {
        "ticket": _clock_words(timeline.clock),
        "survey": _survey_words(timeline),
        "answer": _answer_words(timeline.answers[-1]) if timeline.answers else "none",
        "issue": _issue_words(timeline.issue),
        "counts": _count_words(timeline.numbers),
    }
    opted_out = timeline.requester and timeline.requester["opted_out_at"]
    return stands | ({"requester": f"wants no surveys since {when(opted_out)}"} if opted_out else {}) | waits


def document(timeline: Timeline, *, words: bool = False) -> dict[str, Any]:
    """Everything as one JSON document; moments as ISO text, `timeline` as the text form tells it."""
    hidden = {"comment"} if not words else set()
    return {
        "ticket_id": timeline.ticket_id,
        "standing": standing(timeline),
        "timeline": [asdict(line) for line in lines_of(timeline, words=words)],
        "events": [dict(row) for row in timeline.events],
        "decisions": [dict(row) for row in timeline.decisions],
        "survey": timeline.survey,
        "superseded_surveys": [dict(row) for row in timeline.superseded],
        "deliveries": [call_document(call, timeline.now) for call in timeline.calls],
        "answers": [
            _without(row, hidden) | {"has_comment": bool(row["comment"])} for row in timeline.answers
        ],
        "issue": timeline.issue,
        "numbers": timeline.numbers,
        "requester": timeline.requester,
    }


def _without(row: Row, names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _events(timeline: Timeline) -> Iterator[Line]:
    for row in timeline.events:
        late = "" if row["news"] else "; something newer was known, it changed nothing"
        seen = _late(row["seen_at"] - row["happened_at"])
        yield Line(row["happened_at"], f"event: {row['kind']}", f"by {row['road']}{seen}{late}")


def _late(delay: timedelta) -> str:
    return f", heard of {span(delay)} later" if delay >= timedelta(minutes=1) else ""


def _decisions(timeline: Timeline) -> Iterator[Line]:
    for row in timeline.decisions:
        verdict = "ask" if row["send"] else "do not ask"
        solve = f" (solve of {when(row['solved_at'])})"
        yield Line(row["decided_at"], f"decision: {verdict}", f"{row['rule']}: {row['reason']}{solve}")


def _survey(timeline: Timeline) -> Iterator[Line]:
    survey = timeline.survey
    for old in timeline.superseded:
        yield Line(old["superseded_at"], "survey replaced", f"links of survey {old['survey_id']} say so now")
    if survey is None:
        return
    how = f"{survey['mode']}, {survey['locale']}" if survey["locale"] else str(survey["mode"])
    for column, what in (
        ("asking_since", "about to ask"),
        ("sent_at", "survey sent"),
        ("tagged_at", "ticket tagged"),
    ):
        if survey[column] is not None:
            yield Line(survey[column], what, f"survey {survey['survey_id']} ({how})")


def _answer(row: Row, *, words: bool) -> Iterator[Line]:
    comment = row["comment"]
    said = [f"answer {row['revision']}", row["source"], row["reason"]]
    said += ["from an agent's network"] if row["from_agents"] else []
    said += [f"comment: {comment}" if words else "with a comment"] if comment else []
    yield Line(row["rated_at"], f"rated {row['score']}", ", ".join(filter(None, said)))


def _issue(timeline: Timeline) -> Iterator[Line]:
    issue = timeline.issue
    if issue is None:
        return
    if issue["skipped"]:
        yield Line(issue["created_at"], "no issue", issue["skipped"])
        return
    yield Line(issue["created_at"], "issue", _issue_words(issue))
    if issue["tagged_at"] is not None:
        yield Line(issue["tagged_at"], "ticket tagged", "its feedback is exported")


def _opt_out(timeline: Timeline) -> Iterator[Line]:
    requester = timeline.requester
    if requester is not None and requester["opted_out_at"] is not None:
        yield Line(requester["opted_out_at"], "opted out", "the requester wants no more surveys")


def _clock_words(clock: Row | None) -> str:
    if clock is None:
        return "no event of it was seen"
    solve = f", last known solve {when(clock['solved_at'])}" if clock["solved_at"] else ""
    merged = f", merged away {when(clock['merged_at'])}" if clock["merged_at"] else ""
    return f"{clock['status']}{solve}{merged}"


def _survey_words(timeline: Timeline) -> str:
    survey = timeline.survey
    if survey is not None and survey["sent_at"] is not None:
        return f"sent {when(survey['sent_at'])}"
    if survey is not None and not _decided_against(timeline, survey["solved_at"]):
        return _unsent_words(timeline, survey)
    if timeline.decisions and not timeline.decisions[-1]["send"]:
        last = timeline.decisions[-1]
        return f"none: {last['rule']}: {last['reason']}"
    dead = [call for call in timeline.calls if call.destination == SURVEY and call.state == "dead"]
    return f"none: given up: {given_up_because(dead[-1])}" if dead else "none yet"


def _decided_against(timeline: Timeline, solved_at: datetime) -> bool:
    return any(row["solved_at"] == solved_at and not row["send"] for row in timeline.decisions)


def _unsent_words(timeline: Timeline, survey: Row) -> str:
    """A survey that was begun and not seen to arrive: how its call stands says whether it still will."""
    key = solve_key(timeline.ticket_id, survey["solved_at"])
    call = next((each for each in timeline.calls if (each.destination, each.key) == (SURVEY, key)), None)
    begun = f"begun {when(survey['asking_since'])}"
    if call is not None and call.state == "dead":
        return f"not sent: given up: {given_up_because(call)} ({begun})"
    if call is not None and call.state in ("waiting", "leased"):
        return f"about to be sent since {when(survey['asking_since'])}"
    return f"not sent: {begun}, then {call.state if call is not None else 'its call was removed'}"


def _answer_words(row: Row) -> str:
    flag = ", from an agent's network" if row["from_agents"] else ""
    return f"{row['score']} since {when(row['rated_at'])}, by {row['source']}{flag}"


def _issue_words(issue: Row | None) -> str:
    if issue is None:
        return "none"
    if issue["skipped"]:
        return f"none: {issue['skipped']}"
    if issue["iid"] is None:
        return "being made"
    return f"#{issue['iid']} {issue['web_url'] or ''}, shows answer {issue['revision']}".replace(" ,", ",")


def _count_words(numbers: Row | None) -> str:
    if numbers is None:
        return "not at all: csat never heard of a solve"
    if numbers["solved_at"] is None:
        return "not now: reopened before anybody was asked"
    names = ("form", "plan", "region", "group_name", "assignee")
    under = [f"{name.removesuffix('_name')} {numbers[name]}" for name in names if numbers[name]]
    what = [
        "solved",
        *(["decided"] if numbers["decided"] else []),
        *(["asked"] if numbers["asked_at"] else []),
    ]
    what += [str(numbers["score"])] if numbers["score"] else []
    behind = "; the sums follow within a second" if numbers["stale"] else ""
    return f"as {', '.join(what)} on {numbers['solved_at']:%Y-%m-%d}{_under(under)}{behind}"


def _under(names: list[str]) -> str:
    return f", under {', '.join(names)}" if names else ", under no form, plan or person: not read yet"
