"""One message per comment, whatever the order, the road and the number of the events that tell of it. Pure.

One action of an agent arrives as several events (docs/vendors/zendesk.md#ticket-events): a comment, a change of status,
of tags. The comment (or the creation, which is the ticket's first comment) makes the message; the others only tell what
it shows. They are kept per action until the comment is there, and belong to it when Zendesk names the same sequence,
or, where it names none, when the same person did them within the fold window.

Changes that some feed wants to hear of make a message of their own, one for all changes of an action; two roads that
tell of the same change within the fold window tell of one message.

Everything is merged by version and by set union, so that duplicates and shuffles end in the same messages.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any, Literal

from msgspec import Struct, field, structs

from notifier.changes.records import Changes, Value, joined, texts_of
from notifier.policy.conditions import Actor
from notifier.policy.kinds import COMMENTS, Kind, main

FIRST = "first"
KEPT = 20  # actions and messages that a ticket remembers; the keys of deliveries remember the rest
SAME_MOMENT = timedelta(seconds=2)  # a ticket's creation and its first comment, told apart by nothing else

FieldName = Literal[
    "status", "title", "organization_id", "form_id", "tags", "priority", "brand_id", "group_id", "is_public"
]
_SHOWN: tuple[FieldName, ...] = ("status", "title", "organization_id")


class Fact(Struct, frozen=True):
    """What one field was, and how new that knowledge is. A value of None is known to be empty."""

    version: str
    value: Value


FieldVersions = dict[FieldName, Fact]


class Action(Struct, frozen=True):
    """What one person did to a ticket in one go. `key` is `s:` + the sequence id, or else actor and time.

    `changes`: those that some feed wants to hear of.
    """

    key: str
    at: datetime
    actor: str | None = None
    facts: FieldVersions = {}
    by: Actor | None = None
    changes: Changes = {}


class CommentReport(Struct, frozen=True):
    """What one event (`created` or `commented`) tells of a comment.

    `public` False: private; None: not known. `echo`: the body is the ticket's description, that is, its first comment.
    `redacted`: parts of it were taken away since.
    """

    action: str
    at: datetime
    comment_id: str | None = None
    public: bool | None = None
    person_id: str | None = None
    person: str | None = None
    text: str | None = None
    redacted: bool | None = None
    echo: bool = False
    actor: Actor | None = None


class Item(Struct, frozen=True):
    """A message in the making: what tells of it, and how often that changed for its readers.

    Without a creation and a comment it is about changes; `began` is the moment of their first one.
    """

    name: str
    created: CommentReport | None = None
    comment: CommentReport | None = None
    actions: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    revision: int = 0
    began: datetime | None = None

    @property
    def moments(self) -> tuple[datetime, ...]:
        """When it happened, the moment that is shown last."""
        began = () if self.began is None else (self.began,)
        return tuple(report.at for report in self.reports) or began

    @property
    def reports(self) -> tuple[CommentReport, ...]:
        """The comment's first: it knows better."""
        return tuple(report for report in (self.comment, self.created) if report is not None)


class Content(Struct, frozen=True):
    """What a message shows and is routed by, as far as it is known."""

    at: datetime
    facts: dict[FieldName, Value]
    public: bool | None = None
    comment_id: str | None = None
    person_id: str | None = None
    person: str | None = None
    text: str | None = None
    redacted: bool = False
    actor: Actor = "person"
    kind: Kind = "commented"
    changes: Changes = {}

    @property
    def is_change(self) -> bool:
        """Whether nothing was said: the message tells of changes alone."""
        return self.kind not in COMMENTS

    def happened(self) -> dict[str, Any]:
        """What routing may ask about the action (the fields of `Routable`)."""
        others = {each.kind for each in self.changes.values()} if self.is_change else set()
        tags, rating = self.changes.get("tags"), self.changes.get("rated")
        return {
            "actor": self.actor,
            "kind": self.kind,
            "others": frozenset(others) - {self.kind},
            "added": texts_of(tags.after) if tags else frozenset(),
            "removed": texts_of(tags.before) if tags else frozenset(),
            "score": str(rating.after or "") if rating else "",
        }

    def knows(self, name: FieldName) -> bool:
        """Whether the field is known, also when it is known to be empty."""
        return name in self.facts

    def text_of(self, name: FieldName) -> str | None:
        """The value of a field; None when it is empty or unknown."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None

    def tags(self) -> frozenset[str] | None:
        """The ticket's tags; None while unknown."""
        if not self.knows("tags"):
            return None
        value = self.facts["tags"]
        return frozenset(value) if isinstance(value, list) else frozenset()

    def completed(self, facts: dict[FieldName, Value]) -> "Content":
        """With the given fields where they are not known."""
        return structs.replace(self, facts=facts | self.facts)

    @property
    def visible(self) -> "Content":
        """Without what no reader sees."""
        return structs.replace(self, facts={name: self.facts[name] for name in _SHOWN if name in self.facts})


class TicketFeed(Struct):
    """What the feed knows of one ticket."""

    actions: dict[str, Action] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)

    def fold(self, happened: Action, report: CommentReport | None, window: timedelta) -> list[Item]:
        """Take one event in; the messages that are new or of which something else is known now.

        The revision of a message rises when readers would see a difference.
        """
        before = self._contents(window)
        known = self.actions.get(happened.key)
        self.actions[happened.key] = _merged(known, happened) if known else happened
        if report is not None:
            item = self._item_of(report, happened)
            self.items[item.name] = _with_report(item, report, happened)
        elif happened.changes:
            item = self._changes_of(happened, window)
            began = min(item.began or happened.at, happened.at)
            self.items[item.name] = structs.replace(_with_action(item, happened), began=began)
        after = self._contents(window)
        changed = [name for name, content in after.items() if before.get(name) != content]
        for name in changed:
            if name not in before or before[name].visible != after[name].visible:
                self.items[name] = structs.replace(self.items[name], revision=self.items[name].revision + 1)
        self._forget()
        return [item for item in self.items.values() if item.name in changed]

    def content(self, item: Item, window: timedelta) -> Content:
        """What the message shows by all that is known now."""
        facts: FieldVersions = {}
        changes: Changes = {}
        mine = self._actions_of(item, window)
        for action in mine:
            facts, changes = _newest(facts, action.facts), joined(changes, action.changes)
        reports = item.reports
        known = {name: facts[name].value for name in sorted(facts)}
        content = Content(
            at=item.moments[-1],
            facts=known,
            public=_public(reports),
            comment_id=_first(report.comment_id for report in reports),
            person_id=_first(report.person_id for report in reports),
            person=_first(report.person for report in reports),
            text=_first(report.text for report in reports),
            redacted=any(report.redacted for report in reports),
            actor=_first_actor(reports),
            kind="created" if item.created is not None or item.name == FIRST else "commented",
            changes={name: changes[name] for name in sorted(changes)},
        )
        return content if reports else _about_changes(content, item, mine)

    def comments_beside(self, item: Item, window: timedelta) -> list[Item]:
        """The creation or the comments of the action whose changes `item` tells of."""
        mine = [self.actions[key] for key in item.actions if key in self.actions]
        said = [other for other in self.items.values() if other.reports]
        return [other for other in said if any(_belongs(action, other, window) for action in mine)]

    def _actions_of(self, item: Item, window: timedelta) -> list[Action]:
        """What a message shows: around a comment all that may belong to it, of changes each in one message alone."""
        if item.reports:
            return [action for action in self.actions.values() if _belongs(action, item, window)]
        return [action for key, action in self.actions.items() if key in item.actions]

    def _contents(self, window: timedelta) -> dict[str, Content]:
        return {name: self.content(item, window) for name, item in self.items.items()}

    def _item_of(self, report: CommentReport, happened: Action) -> Item:
        """The message that this telling is about: a known one, or a new one."""
        if report.comment_id is None:
            found = self._where(lambda item: item.created is not None or item.name == FIRST)
        else:
            found = self.items.get(report.comment_id) or self._where(
                lambda item: item.comment is not None and item.comment.comment_id == report.comment_id
            )
        found = found or self._where(lambda item: _same_first(item, report, happened))
        if found is not None:
            return found
        opens = report.comment_id is None or (report.echo and FIRST not in self.items)
        return Item(FIRST if opens else str(report.comment_id))

    def _changes_of(self, happened: Action, window: timedelta) -> Item:
        """The message that these changes are told in: that of their action, also when two roads tell of it."""

        def mine(item: Item) -> bool:
            if item.reports:
                return False
            return _belongs(happened, item, window) or self._tells_of(item, happened, window)

        name = f"change-{blake2s(happened.key.encode(), digest_size=6).hexdigest()}"
        told = self._where(lambda item: not item.reports and happened.key in item.actions)
        return told or self._where(mine) or Item(name, began=happened.at)

    def _tells_of(self, item: Item, happened: Action, window: timedelta) -> bool:
        """Whether the message tells of one of these changes already, made at that time: two roads tell of it."""
        if all(abs(happened.at - moment) > window for moment in item.moments):
            return False
        told = [self.actions[key].changes for key in item.actions if key in self.actions]
        return any(
            name in changes and changes[name].after == change.after
            for changes in told
            for name, change in happened.changes.items()
        )

    def _where(self, test: Callable[[Item], bool]) -> Item | None:
        return next((item for item in self.items.values() if test(item)), None)

    def _forget(self) -> None:
        for key in sorted(self.actions, key=lambda key: self.actions[key].at)[:-KEPT]:
            del self.actions[key]
        for name in sorted(self.items, key=lambda name: self.items[name].moments[-1])[:-KEPT]:
            del self.items[name]


def _same_first(item: Item, report: CommentReport, happened: Action) -> bool:
    """Whether one of the two is the creation of the ticket and the other its first comment."""
    if (item.comment if report.comment_id is None else item.created) is None:
        return False
    if item.comment is not None and report.comment_id is not None:
        return False  # another comment already has this place
    mine, theirs = _sequences({happened.key}), _sequences(item.actions)
    if mine & theirs:
        return True
    if mine and theirs:
        return False
    moments = [each.at for each in (*item.reports, report)]
    people = {report.person_id, happened.actor} & {*(each.person_id for each in item.reports), *item.actors}
    return bool(people - {None}) and max(moments) - min(moments) <= SAME_MOMENT


def _with_action(item: Item, happened: Action) -> Item:
    actors = item.actors | ({happened.actor} if happened.actor else set())
    return structs.replace(item, actions=item.actions | {happened.key}, actors=actors)


def _about_changes(content: Content, item: Item, actions: Iterable[Action]) -> Content:
    """A message about changes: whether the ticket is one that customers see stands for a comment's privacy."""
    public = content.facts.get("is_public")
    people = sorted(actor for actor in item.actors if actor.isdecimal())
    kinds = [change.kind for change in content.changes.values()]
    return structs.replace(
        content,
        public=public if isinstance(public, bool) else None,
        person_id=_first(people),
        actor=next((action.by for action in actions if action.by is not None), "person"),
        kind=main(kinds) if kinds else "field",
    )


def _with_report(item: Item, report: CommentReport, happened: Action) -> Item:
    item = _with_action(item, happened)
    if report.comment_id is None:
        return structs.replace(item, created=_filled(item.created, report))
    return structs.replace(item, comment=_filled(item.comment, report))


def _filled(known: CommentReport | None, report: CommentReport) -> CommentReport:
    """What was told first, completed by what another road tells of the same; private wins over public."""
    if known is None:
        return report
    blank = {name: value for name, value in structs.asdict(report).items() if getattr(known, name) is None}
    return structs.replace(known, **(blank | {"public": _public((known, report))}))


def _belongs(action: Action, item: Item, window: timedelta) -> bool:
    """Whether what was done in `action` is part of the update that the message tells of."""
    if action.key in item.actions:
        return True
    if _sequences({action.key}) and _sequences(item.actions):
        return False
    if action.actor is None or action.actor not in item.actors:
        return False
    return any(abs(action.at - moment) <= window for moment in item.moments)


def _merged(known: Action, happened: Action) -> Action:
    return structs.replace(
        known,
        at=min(known.at, happened.at),
        actor=known.actor or happened.actor,
        facts=_newest(known.facts, happened.facts),
        by=known.by or happened.by,
        changes=joined(known.changes, happened.changes),
    )


def _newest(facts: FieldVersions, others: FieldVersions) -> FieldVersions:
    newer = {
        name: fact
        for name, fact in others.items()
        if name not in facts
        or (fact.version, repr(fact.value)) > (facts[name].version, repr(facts[name].value))
    }
    return facts | newer


def _public(reports: Iterable[CommentReport]) -> bool | None:
    said = {report.public for report in reports} - {None}
    return False if False in said else (True if said else None)


def _first_actor(reports: Iterable[CommentReport]) -> Actor:
    said = (report.actor for report in reports if report.actor is not None)
    return next(said, "person")


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _sequences(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if key.startswith("s:")}
