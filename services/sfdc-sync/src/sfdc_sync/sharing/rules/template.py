"""The GitLab issue of the template *Shared Organization Request* (docs/sharing/shared_organization_request.md)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sfdc_sync.sharing.rules.options import OPTIONS, Option
from supportops.errors import Permanent

LONGEST = 100_000  # characters of an issue that are read
MOST_PEOPLE = 200
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r"#{1,6}[ \t]+(.+?)[ \t#]*")
_BOX = re.compile(r"[-*+][ \t]+\[([ xX])\][ \t]+(.+)")
_ITEM = re.compile(r"(?:[-*+][ \t]+)?(.+)")
_LINK = re.compile(r"\[([^\[\]]+)\]\([^()\s]+\)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ID: Final[Mapping[str, re.Pattern[str]]] = {
    "organization": re.compile(r"(?:https?://\S+/organizations/|#)?([0-9]{1,20})(?:[/?#]\S*)?"),
    "ticket": re.compile(r"(?:https?://\S+/tickets/|#)?([0-9]{1,20})(?:[/?#]\S*)?"),
}
_PERSON = re.compile(r"[0-9]{1,20}|[^\s@<>]{1,64}@[^\s@<>]{1,190}")


class UnusableIssue(Permanent):
    """The issue cannot be read as a request; the message names every mistake, a line each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


@dataclass(frozen=True)
class Draft:
    """What somebody asks for. `selected`: Zendesk's ids of users, or their e-mail addresses."""

    organization_id: str
    ticket_id: str
    option: Option
    selected: tuple[str, ...] = ()


def draft_of(description: str) -> Draft:
    """The request in an issue's description. Raises UnusableIssue."""
    sections = _sections(_COMMENT.sub("", description[:LONGEST]))
    mistakes: list[str] = []
    organization = _id(sections, "organization", mistakes)
    ticket = _id(sections, "ticket", mistakes)
    option = _option(sections.get("option"), mistakes)
    people = _people(sections.get("selected users", []), mistakes)
    if mistakes or option is None:
        raise UnusableIssue(mistakes)
    return Draft(organization, ticket, option, people)


def _sections(text: str) -> dict[str, list[str]]:
    """The lines below each heading, without blank ones; of two headings of one name the lines of both."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in map(str.strip, text.splitlines()):
        if heading := _HEADING.fullmatch(line):
            name = " ".join(heading[1].casefold().split())
        elif line:
            found.setdefault(name, []).append(line)
    return found


def _id(sections: Mapping[str, Sequence[str]], name: str, mistakes: list[str]) -> str:
    lines = [_item(line) for line in sections.get(name, [])]
    if len(lines) != 1:
        wrong = "is empty" if not lines else f"has {len(lines)} lines"
        mistakes.append(f'the section "{name.capitalize()}" {wrong}: write its number or its address there')
        return ""
    match = _ID[name].fullmatch(lines[0].strip("<>"))
    if match is None:
        mistakes.append(f'the section "{name.capitalize()}" holds no number and no address of Zendesk')
        return ""
    return match[1]


def _option(lines: Sequence[str] | None, mistakes: list[str]) -> Option | None:
    titles = {_folded(rule.title): option for option, rule in OPTIONS.items()}
    titles |= {_folded(option): option for option in OPTIONS}
    ticked = [box[2] for line in lines or () if (box := _BOX.fullmatch(line)) and box[1] != " "]
    if len(ticked) != 1:
        mistakes.append(f'in the section "Option" {len(ticked)} boxes are ticked: tick exactly one')
        return None
    option = titles.get(_folded(ticked[0]))
    if option is None:
        mistakes.append('the ticked box of the section "Option" is none of the five: leave their words alone')
    return option


def _people(lines: Sequence[str], mistakes: list[str]) -> tuple[str, ...]:
    people = [_item(line).strip("<>`") for line in lines]
    wrong = [number for number, person in enumerate(people, 1) if not _PERSON.fullmatch(person)]
    if wrong:
        where = ", ".join(map(str, wrong))
        mistakes.append(f'"Selected users", line {where}: write one e-mail address or user id a line')
    if len(people) > MOST_PEOPLE:
        mistakes.append(f'"Selected users" has {len(people)} lines: at most {MOST_PEOPLE} are taken')
    return tuple(dict.fromkeys(people))


def _item(line: str) -> str:
    """What a line says, without the bullet, and without the Markdown that GitLab's editor for rich text adds."""
    match = _ITEM.fullmatch(line)
    plain = match[1].strip() if match else line
    link = _LINK.fullmatch(plain)
    return _ESCAPED.sub(r"\1", link[1] if link else plain)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
