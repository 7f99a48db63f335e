"""A story in words: one line per happening, oldest first, and how things stand. Pure.

A customer's words are told only where they were asked for: what a command prints ends up in chats and tickets.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from csat.operations.timeline import Timeline
from supportops.config.durations import format_duration
from supportops.operations.delivery_history import Call, Row


@dataclass(frozen=True)
class Line:
    """What happened when, in which detail."""

    at: datetime
    what: str
    detail: str


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
    lines += [line for call in timeline.calls for line in _attempts(call)]
    return sorted(lines, key=lambda line: line.at)


def standing(timeline: Timeline) -> dict[str, str]:
    """How things stand now, by name: the ticket, its survey, what waits, how it counts."""
    waits = {_name(call): wait_of(call, timeline.now) for call in timeline.calls if _is_open(call)}
    stands = {
        "ticket": _clock_words(timeline.clock),
        "survey": _survey_words(timeline),
        "answer": _answer_words(timeline.answers[-1]) if timeline.answers else "none",
        "issue": _issue_words(timeline.issue),
        "counts": _count_words(timeline.numbers),
    }
    opted_out = timeline.requester and timeline.requester["opted_out_at"]
    return stands | ({"requester": f"wants no surveys since {_when(opted_out)}"} if opted_out else {}) | waits


def _name(call: Call) -> str:
    """One destination may have several open calls for a ticket, such as two answers on their way to GitLab."""
    return f"call {call.destination} {call.key}"


def wait_of(call: Call, now: datetime) -> str:
    """How an unfinished or a dead call stands, and what it waits for."""
    if call.state == "dead":
        return f"given up: {call.outcome.get('reason', 'no reason kept')} (csat try-again {call.key})"
    if call.state == "leased":
        return "in hand"
    last = f"; last answer: {call.attempts[-1].get('reason', 'done')}" if call.attempts else ""
    if call.paused_until is not None:
        return f"all calls to {call.destination} wait {_span(call.paused_until - now)} more{last}"
    if call.next_attempt_at > now:
        return f"due in {_span(call.next_attempt_at - now)}, on {_when(call.next_attempt_at)}{last}"
    turn = f"waits for its turn: {call.before} before it" if call.before else "due now: next in turn"
    return f"{turn}; late by {_span(now - call.next_attempt_at)}{last}"


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
        "deliveries": [_call_document(call, timeline.now) for call in timeline.calls],
        "answers": [
            _without(row, hidden) | {"has_comment": bool(row["comment"])} for row in timeline.answers
        ],
        "issue": timeline.issue,
        "numbers": timeline.numbers,
        "requester": timeline.requester,
    }


def _call_document(call: Call, now: datetime) -> dict[str, Any]:
    wait = wait_of(call, now) if _is_open(call) else None
    return asdict(call) | {"waits": wait}


def _without(row: Row, names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _is_open(call: Call) -> bool:
    return call.state in ("waiting", "leased", "dead")


def _events(timeline: Timeline) -> Iterator[Line]:
    for row in timeline.events:
        late = "" if row["news"] else "; something newer was known, it changed nothing"
        seen = _late(row["seen_at"] - row["happened_at"])
        yield Line(row["happened_at"], f"event: {row['kind']}", f"by {row['road']}{seen}{late}")


def _late(span: timedelta) -> str:
    return f", heard of {_span(span)} later" if span >= timedelta(minutes=1) else ""


def _decisions(timeline: Timeline) -> Iterator[Line]:
    for row in timeline.decisions:
        verdict = "ask" if row["send"] else "do not ask"
        solve = f" (solve of {_when(row['solved_at'])})"
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


def _attempts(call: Call) -> Iterator[Line]:
    for each in call.attempts:
        detail = f"attempt {each['attempt']}: {each.get('reason', 'done')}"
        yield Line(datetime.fromisoformat(each["at"]), f"call {call.destination}", detail)
    if call.state == "cancelled" and call.finished_at is not None:
        detail = f"cancelled; it was due on {_when(call.due_at)}"
        yield Line(call.finished_at, f"call {call.destination}", detail)


def _clock_words(clock: Row | None) -> str:
    if clock is None:
        return "no event of it was seen"
    solve = f", last known solve {_when(clock['solved_at'])}" if clock["solved_at"] else ""
    merged = f", merged away {_when(clock['merged_at'])}" if clock["merged_at"] else ""
    return f"{clock['status']}{solve}{merged}"


def _survey_words(timeline: Timeline) -> str:
    survey = timeline.survey
    if survey is not None and survey["sent_at"] is not None:
        return f"sent {_when(survey['sent_at'])}"
    if survey is not None:
        return f"about to be sent since {_when(survey['asking_since'])}"
    if timeline.decisions and not timeline.decisions[-1]["send"]:
        last = timeline.decisions[-1]
        return f"none: {last['rule']}: {last['reason']}"
    return "none yet"


def _answer_words(row: Row) -> str:
    return f"{row['score']} since {_when(row['rated_at'])}, by {row['source']}"


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


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(length: timedelta) -> str:
    """A length of time to the second, the two largest units of it."""
    if length < timedelta(seconds=1):
        return "less than 1s"
    whole = timedelta(seconds=int(length.total_seconds()))
    if whole >= timedelta(days=1):
        whole -= whole % timedelta(hours=1)
    elif whole >= timedelta(hours=1):
        whole -= whole % timedelta(minutes=1)
    return format_duration(whole)
