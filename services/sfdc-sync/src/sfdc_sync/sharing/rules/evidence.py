"""What a request rests on: the customer's own ticket, in which the customer agrees (handbook §2)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sfdc_sync.sharing.rules.access import Situation
from sfdc_sync.sharing.rules.options import OPTIONS, Option


@dataclass(frozen=True)
class Acceptance:
    """How a customer's agreement is known: one of the phrases in the requester's words, or one of the tags."""

    phrases: Sequence[str] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Evidence:
    """The ticket as it was read. `words`: the requester's own public comments; `tags`: what it did not inherit."""

    ticket_id: str
    requester_id: str | None
    requester_is_end_user: bool = False
    requester_organizations: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    words: tuple[str, ...] = field(default=(), repr=False)


def objections(
    evidence: Evidence | None, ticket_id: str, organization_id: str, acceptance: Acceptance
) -> list[str]:
    """Why this ticket is no evidence; nothing: it is."""
    if evidence is None:
        return [f"ticket {ticket_id} is not there, or not ours to see"]
    found = []
    if evidence.requester_id is None or not evidence.requester_is_end_user:
        found.append(f"ticket {ticket_id} was not requested by a customer")
    elif organization_id not in evidence.requester_organizations:
        found.append(f"the requester of ticket {ticket_id} does not belong to organization {organization_id}")
    if not accepted(evidence, acceptance):
        found.append(f"ticket {ticket_id} does not hold the customer's acceptance: {_needed(acceptance)}")
    return found


def accepted(evidence: Evidence, acceptance: Acceptance) -> bool:
    """Whether the customer has agreed. What a reply quotes are not the customer's words."""
    if evidence.tags & set(acceptance.tags):
        return True
    own = [_plain(_unquoted(words)) for words in evidence.words]
    return any(_plain(phrase) in words for phrase in acceptance.phrases for words in own)


def _needed(acceptance: Acceptance) -> str:
    phrases = [f'the requester writes "{phrase}"' for phrase in acceptance.phrases]
    return " or ".join([*phrases, *(f"it has the tag {tag} of its own" for tag in acceptance.tags)])


# Above these lines stand one's own words, below them what one answers to. A header is one only beside another.
_BELOW = re.compile(
    r"-{2,}\s*(?:original|forwarded|urspr\xfcngliche|weitergeleitete|message d'origine|mensaje original)\b.*"
    r"|_{10,}|##-.*-##|(?=.*\d).*\b(?:wrote|schrieb|a \xe9crit|escribi\xf3|ha scritto|schreef|escreveu)\s*:",
    re.IGNORECASE,
)
_FROM = re.compile(r"\W*(?:from|von|de|da|van|fr\xe5n)\b\W*:.*", re.IGNORECASE)
_SENT = re.compile(
    r"\W*(?:sent|date|gesendet|datum|envoy\xe9|enviado|inviato|verzonden|skickat)\b.*?:.*", re.IGNORECASE
)
_HEADER_LINES = 4


def _unquoted(text: str) -> str:
    """The words above what is answered to, without lines that begin with `>`: mail programs quote others so."""
    own: list[str] = []
    lines = list(map(str.strip, text.splitlines()))
    for at, line in enumerate(lines):
        headers = _FROM.fullmatch(line) and any(map(_SENT.fullmatch, lines[at + 1 : at + _HEADER_LINES]))
        if headers or _BELOW.fullmatch(line):
            break
        if not line.startswith(">"):
            own.append(line)
    return "\n".join(own)


def _plain(text: str) -> str:
    """For comparing: case, spaces and typographic apostrophes make no difference."""
    return " ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold().split())


def forbidden(notes: Iterable[str], words: Iterable[str]) -> list[str]:
    """Why the organization's notes forbid it; nothing: they do not."""
    told = _plain("\n".join(notes))
    return [f'a note on the organization says "{word}"' for word in words if _plain(word) in told]


def misnamed(option: Option, selected: Sequence[str], situation: Situation) -> list[str]:
    """What is wrong with the people that a request names; nothing: all is well."""
    if not OPTIONS[option].selects:
        return [f"option {option} concerns everybody: it names nobody"] if selected else []
    if not selected:
        return [f"option {option} needs the people whom it is for"]
    known = {name: member for member in situation.members for name in _names(member.user_id, member.email)}
    found = []
    for name in selected:
        member = known.get(_plain(name))
        if member is None:
            found.append(f"{name} does not belong to organization {situation.organization_id}")
        elif not member.end_user:
            found.append(f"{name} is an agent: agents are not restricted by organizations")
        elif member.suspended:
            found.append(f"{name} is suspended")
    return found


def ids_of(selected: Iterable[str], situation: Situation) -> tuple[str, ...]:
    """The ids of people named by id or e-mail address; those whom `misnamed` objects to are left out."""
    known = {name: member for member in situation.end_users for name in _names(member.user_id, member.email)}
    found = [known[_plain(name)].user_id for name in selected if _plain(name) in known]
    return tuple(dict.fromkeys(found))


def _names(user_id: str, email: str | None) -> list[str]:
    return [user_id, _plain(email)] if email else [user_id]
