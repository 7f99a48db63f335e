"""What an issue says: title, description, labels, notes, and how its own are recognised. Pure.

See docs/rules.md C10, C11.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from csat.feedback.quoting import must_be_inert, quote_untrusted, safe_title
from csat.policy.feedback import FeedbackPolicy, Route, Wording
from csat.ratings.answer import Answer

_SCORES = {"good": "Good", "bad": "Bad"}
_ANSWER = r"Ref: `{marker}` \(answer ([0-9]{{1,6}})\)"


@dataclass(frozen=True)
class Subject:
    """What an issue is about. Names are "" where there is none; `answer_number` counts changes of mind, from 1."""

    ticket_id: str
    rating_id: str
    answer: Answer
    answer_number: int
    title: str
    form: str
    plan: str


@dataclass(frozen=True)
class Draft:
    """A new issue."""

    title: str
    description: str
    labels: tuple[str, ...]
    confidential: bool


class Writer:
    """Writes issues and notes by the organization's rules, for one account of Zendesk."""

    def __init__(self, policy: FeedbackPolicy, zendesk_url: str) -> None:
        self._policy = policy
        self._zendesk = zendesk_url.rstrip("/")

    def draft(self, subject: Subject) -> Draft:
        """The issue of an answer."""
        parts = [
            _quoted(subject.answer.comment),
            f"**Ticket:** [ticket {subject.ticket_id}]({self._zendesk}/agent/tickets/{int(subject.ticket_id)})",
            *self._attention(subject.answer),
            self._reference(subject),
        ]
        return Draft(
            safe_title(subject.title, subject.ticket_id),
            must_be_inert("\n\n".join(parts)),
            self.labels(subject),
            self._policy.confidential,
        )

    def note(self, subject: Subject, *, with_comment: bool) -> str:
        """What is said on the issue after a change of mind."""
        parts = [f"The customer changed the answer; the rating is now **{_SCORES[subject.answer.score]}**."]
        if with_comment:
            parts.append(_quoted(subject.answer.comment))
        return must_be_inert(
            "\n\n".join([*parts, *self._attention(subject.answer), self._reference(subject)])
        )

    def labels(self, subject: Subject) -> tuple[str, ...]:
        """Satisfaction, form, subscription, and the reason's; never anything that a customer wrote."""
        policy = self._policy
        satisfaction, *reason = self.answer_labels(subject.answer)
        form = _label(subject.form, policy.forms, policy.other_form)
        return satisfaction, form, _label(subject.plan, policy.plans, policy.other_plan), *reason

    def answer_labels(self, answer: Answer) -> tuple[str, ...]:
        """The labels that change with the answer: satisfaction, and the reason's of a bad one."""
        route = self._route(answer)
        return self._policy.satisfaction[answer.score], *(route.labels if route is not None else ())

    def withdrawn_labels(self, answer: Answer) -> tuple[str, ...]:
        """Labels of other answers, which this one takes off the issue."""
        return tuple(sorted(self._policy.answer_labels.difference(self.answer_labels(answer))))

    def mentions(self, answer: Answer) -> tuple[str, ...]:
        """Managers on every bad rating, and the reason's team in addition; nobody on a good one."""
        if answer.score != "bad":
            return ()
        route = self._route(answer)
        teams = [self._policy.managers, *([route.team] if route is not None and route.team else [])]
        return tuple(dict.fromkeys(name for team in teams for name in self._policy.teams[team]))

    def marker(self, ticket_id: str, rating_id: str) -> str:
        """A word that is on this rating's issue and nowhere else (docs/vendors/gitlab.md#after-a-lost-answer)."""
        return marker_of(urlsplit(self._zendesk).hostname or "", ticket_id, rating_id)

    def _route(self, answer: Answer) -> Route | None:
        return self._policy.routes.get(answer.reason or "") if answer.score == "bad" else None

    def _attention(self, answer: Answer) -> list[str]:
        names = self.mentions(answer)
        return [f"For the attention of {' '.join(names)}"] if names else []

    def _reference(self, subject: Subject) -> str:
        return f"Ref: `{self.marker(subject.ticket_id, subject.rating_id)}` (answer {subject.answer_number})"


def marker_of(account: str, ticket_id: str, rating_id: str) -> str:
    """`zdcsat` and 20 hex digits."""
    return f"zdcsat{sha256(f'{account}:{ticket_id}:{rating_id}'.encode()).hexdigest()[:20]}"


def answer_shown(text: str, marker: str) -> int | None:
    """The number of the answer that an issue or a note shows; None: it is not one of this rating's.

    Only a whole line counts: within a customer's words it would stand behind the `> ` of our quote.
    """
    pattern = re.compile(_ANSWER.format(marker=re.escape(marker)))
    found = (pattern.fullmatch(line) for line in text.replace("\r", "").split("\n"))
    return next((int(match[1]) for match in found if match is not None), None)


def comment_hash(comment: str | None) -> str:
    """Stands for a comment in our table, which need not keep it twice; "" for none."""
    return sha256(comment.encode("utf-8", "surrogatepass")).hexdigest() if comment else ""


def _quoted(comment: str | None) -> str:
    return quote_untrusted(comment) if comment else "The customer left no comment."


def _label(name: str, table: tuple[Wording, ...], other: str) -> str:
    folded = name.casefold()
    return next((row.label for row in table if row.contains.casefold() in folded), other)
