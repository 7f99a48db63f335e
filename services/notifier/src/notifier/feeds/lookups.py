"""What an event does not tell, read from Zendesk where a message is made; names are believed for a while.

Comments are read every time: whether one is public is decided by what Zendesk says now, not by what an event said.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import batched

from notifier.changes.records import Value
from notifier.changes.words import shown
from notifier.feeds.merge import FIRST, Content, FieldName
from notifier.feeds.render import FeedLine
from notifier.feeds.routing import FormNames
from notifier.policy.conditions import NO_FORM, Routable
from notifier.policy.kinds import ASSIGNMENTS, BY_ID, COMMENTS, GONE, Kind
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from supportops.clock import Clock
from supportops.errors import Permanent
from supportops.observability.logging import get_logger
from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk import Comment, References, Zendesk
from supportops.vendors.zendesk.models import Named, Organization, Ticket, User

log = get_logger("notifier.feeds")

TICKETS_AT_ONCE = 100  # that Zendesk reads in one call


class NotToBeShown(Exception):
    """The ticket or the comment is gone, or is private now; says why."""


@dataclass(frozen=True)
class Unread:
    """What was known of an earlier message; `key` and `item` name it."""

    key: str
    item: str
    facts: Routable


class Lookups:
    """Completes what is known of a message by reading Zendesk."""

    def __init__(
        self,
        zendesk: Zendesk,
        references: References,
        forms: FormNames,
        policy: NotifierPolicy,
        clock: Clock,
    ) -> None:
        self._zendesk = zendesk
        self._policy = policy
        self._routed = [name for name, rules in _ROUTED.items() if not rules or policy.asks_for(*rules)]
        self._references = references
        self._forms = forms
        self._clock = clock

    async def routable(self, ticket_id: str, content: Content) -> Routable:
        """What routing needs, all of it known but for an organization that cannot be read.

        Raises NotToBeShown for a ticket, or a form, that is not there.
        """
        if not all(content.knows(name) for name in self._routed):
            content = content.completed(facts_of(await self._ticket(ticket_id)))
        public = content.public
        if public is None and content.is_change:
            public = await self._is_public(ticket_id)
        elif public is None:
            public = (await self._comment(ticket_id, content)).public
        return await self._with_names(
            content,
            Routable(
                await self._form_name(content.text_of("form_id")),
                content.tags(),
                public,
                **content.happened(),
                status=content.text_of("status") or "" if content.knows("status") else None,
                priority=content.text_of("priority") or "" if content.knows("priority") else None,
            ),
        )

    async def _with_names(self, content: Content, found: Routable) -> Routable:
        """With the names that some rule asks for; each is a look-up, remembered for a while.

        What its organization says is not known where that cannot be read: then no rule that asks for it says yes.
        """
        asks_for = self._policy.asks_for
        if asks_for("brands"):
            found = replace(
                found, brand=await self._name(self._references.brands, content.text_of("brand_id"))
            )
        if asks_for("groups"):
            found = replace(
                found, group=await self._name(self._references.groups, content.text_of("group_id"))
            )
        if not asks_for("organizations", "plans", "regions"):
            return found
        number = content.text_of("organization_id")
        try:
            organization = await self._references.organizations.get(number) if number else None
        except Permanent as error:  # it is there: whether a rule leaves it out, nobody can tell
            log.warning("routing.organization_unknown", organization_id=number, reason=str(error))
            return replace(found, organization=None, plan=None, region=None)
        fields = organization.organization_fields or {} if organization else {}
        return replace(
            found,
            organization=organization.name if organization else "",
            plan=_field(fields, self._policy.plan_field),
            region=_field(fields, self._policy.region_field),
        )

    async def filled(self, facts: Mapping[str, Sequence[Unread]]) -> dict[str, Routable]:
        """Facts of earlier messages, by ticket, with what is not known of them as Zendesk says it now; by key.

        Without those whose ticket, comment or form is gone.
        """
        found: dict[str, Routable] = {}
        for some in batched(facts, TICKETS_AT_ONCE):
            for ticket_id, ticket in (await self.tickets(some)).items():
                for each in facts[ticket_id]:
                    with suppress(NotToBeShown):
                        found[each.key] = await self._filled(each, ticket)
        return found

    async def _filled(self, past: Unread, ticket: Ticket) -> Routable:
        public, facts = past.facts.public, asdict(past.facts)
        if public is None:
            public = await self._was_public(past, ticket)
        now = await self.routable(ticket.id, Content(ticket.updated_at, facts_of(ticket), public=public))
        known = {name: value for name, value in facts.items() if value is not None}
        return replace(now, **known)

    async def _was_public(self, past: Unread, ticket: Ticket) -> bool:
        if past.facts.kind not in COMMENTS:
            return await self._is_public(ticket.id, ticket)
        comment_id = None if past.item == FIRST else past.item
        return (await self._comment(ticket.id, Content(ticket.updated_at, {}, comment_id=comment_id))).public

    async def tickets(self, ticket_ids: Sequence[str]) -> dict[str, Ticket]:
        """Those of the tickets that exist, by id."""
        return await self._zendesk.tickets(ticket_ids)

    async def organization(self, organization_id: str | None) -> Organization | None:
        """An organization by id; None for none, and where it may not be read."""
        return await self._references.organizations.find(organization_id) if organization_id else None

    async def person(self, user_id: str) -> User | None:
        """Somebody by id."""
        return await self._references.users.find(user_id)

    async def comments(self, ticket_id: str) -> list[Comment]:
        """The ticket's comments, newest first; none when it is gone."""
        return await self._zendesk.latest_comments(ticket_id)

    async def form_of(self, ticket: Ticket) -> str | None:
        """The name of the ticket's form, `NO_FORM` without one, None where it cannot be told."""
        try:
            return await self._form_name(ticket.form_id)
        except NotToBeShown:
            return None

    async def line(self, ticket_id: str, content: Content, feed: FeedRule) -> tuple[bool, FeedLine]:
        """Whether the comment is public, or for changes the ticket, and everything that the message shows.

        Raises NotToBeShown when it may not be shown (any more).
        """
        if content.is_change:
            return await self._line_of_changes(ticket_id, content, feed)
        content = await self._with_ticket(ticket_id, content)
        comment = await self._comment(ticket_id, content)
        if not comment.public and not feed.private_comments:
            raise NotToBeShown("the comment is private")
        return comment.public, replace(
            await self._line(ticket_id, content),
            comment=comment.body,
            person=content.person or await self._person(comment.author_id or content.person_id),
        )

    async def _line_of_changes(
        self, ticket_id: str, content: Content, feed: FeedRule
    ) -> tuple[bool, FeedLine]:
        """The same for a message without words: of a ticket that is gone by what its last event told."""
        public = content.public
        if content.kind not in GONE:
            ticket = await self._ticket(ticket_id)
            content = content.completed(facts_of(ticket))
            public = await self._is_public(ticket_id, ticket)
        if not public and not feed.private_comments:
            raise NotToBeShown("no customer sees the ticket")
        return public is True, await self._line(ticket_id, content)

    async def _line(self, ticket_id: str, content: Content) -> FeedLine:
        organization = await self._organization_of(content)
        return replace(
            carried_line(ticket_id, content),
            organization=organization.name if organization else None,
            person=content.person or await self._person(content.person_id),
            changes=shown(content.changes, await self._names_of(content)),
        )

    async def _names_of(self, content: Content) -> dict[str, tuple[str, str]]:
        """What is called how, before and after, of the changes that are told by ids."""
        return {
            name: (
                await self._called(change.kind, change.before),
                await self._called(change.kind, change.after),
            )
            for name, change in content.changes.items()
            if change.kind in BY_ID
        }

    async def _called(self, kind: Kind, number: Value) -> str:
        if not isinstance(number, str) or not number:
            return ""
        if kind in ASSIGNMENTS or kind == "requester":
            return await self._person(number) or "somebody"
        if kind == "organization":
            found = await self.organization(number)
            return found.name if found else "another"
        if kind == "form":
            form = await self._references.forms.get(number)
            return form.name if form else "another"
        names = self._references.groups if kind == "group" else self._references.brands
        return await self._name(names, number) or "another"

    async def _is_public(self, ticket_id: str, ticket: Ticket | None = None) -> bool:
        """Whether a customer sees the ticket: an account that does not say has it told by the comments."""
        ticket = ticket or await self._ticket(ticket_id)
        if ticket.is_public is not None:
            return ticket.is_public
        return any(comment.public for comment in await self._zendesk.latest_comments(ticket_id))

    async def _with_ticket(self, ticket_id: str, content: Content) -> Content:
        """The content with status, title and organization, read when the events did not carry them."""
        if all(content.knows(name) for name in ("status", "title", "organization_id")):
            return content
        return content.completed(facts_of(await self._ticket(ticket_id)))

    async def _ticket(self, ticket_id: str) -> Ticket:
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            raise NotToBeShown("the ticket is gone")
        return ticket

    async def _comment(self, ticket_id: str, content: Content) -> Comment:
        """The comment that the message is about; a creation's is the ticket's first."""
        comments = await self._zendesk.latest_comments(ticket_id)
        if not comments:
            raise NotToBeShown("the ticket or its comments are gone")
        if content.comment_id is None:
            return comments[-1]
        for comment in comments:
            if comment.id == content.comment_id:
                return comment
        raise NotToBeShown("the comment is gone")

    async def _organization_of(self, content: Content) -> Organization | None:
        return await self.organization(content.text_of("organization_id"))

    async def _name(self, names: ReferenceCache[Named], number: str | None) -> str:
        found = await names.find(number) if number else None
        return found.name if found else ""

    async def _person(self, user_id: str | None) -> str | None:
        found = await self._references.users.find(user_id) if user_id else None
        return found.name if found else None

    async def _form_name(self, form_id: str | None) -> str:
        if form_id is None:
            return NO_FORM
        form = await self._references.forms.get(form_id)
        if form is not None:
            self._forms.learn(form_id, form.name, self._clock.now())
            return form.name
        if not self._forms.any_known and not await self._zendesk.ticket_forms():
            # The account has no forms (small plans refuse the list), so a form is no reason to hide anything. Once a
            # name was known, an empty list is a right that was lost: then what cannot be named is not shown.
            self._forms.learn(form_id, NO_FORM, self._clock.now())
            return NO_FORM
        raise NotToBeShown("the ticket's form is not known")


_ROUTED: dict[FieldName, tuple[str, ...]] = {
    "form_id": (),
    "tags": (),
    "priority": ("priorities",),
    "status": ("statuses",),
    "brand_id": ("brands",),
    "group_id": ("groups",),
    "organization_id": ("organizations", "plans", "regions"),
}
"""What routing may look at, and the conditions that ask for it; form and tags are always looked at."""


def facts_of(ticket: Ticket) -> dict[FieldName, Value]:
    """What Zendesk says of a ticket, as facts of a message."""
    return {
        "status": ticket.status,
        "title": ticket.subject,
        "organization_id": ticket.organization_id,
        "form_id": ticket.form_id,
        "tags": list(ticket.tags),
        "priority": ticket.priority,
        "brand_id": ticket.brand_id,
        "group_id": ticket.group_id,
    }


def _field(fields: Mapping[str, object], key: str) -> str:
    """An organization's field as a text; what is not filled in is empty."""
    value = fields.get(key)
    return str(value) if isinstance(value, str | int | float) else ""


def carried_line(ticket_id: str, content: Content) -> FeedLine:
    """The message by what the events carried, without asking anybody."""
    return FeedLine(
        ticket_id=ticket_id,
        at=content.at,
        status=content.text_of("status"),
        person=content.person,
        title=content.text_of("title"),
        comment=None if content.redacted else content.text,
        changes=shown(content.changes, {}),
        event="" if content.is_change else content.kind,
    )
