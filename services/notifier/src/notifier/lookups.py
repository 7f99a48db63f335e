"""What an event does not tell, read from Zendesk where a message is made (design §5); names are believed for a while.

Comments are read every time: whether one is public is decided by what Zendesk says now, not by what an event said.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from notifier.folding import Content
from notifier.messages import FeedLine
from notifier.planning import FormNames
from notifier.settings import NO_FORM, FeedRule, Routable
from supportops.clock import Clock

CACHED = 5_000  # names kept per kind


@dataclass(frozen=True)
class TicketNow:
    """A ticket as Zendesk has it now."""

    status: str | None
    title: str | None
    organization_id: str | None
    form_id: str | None
    tags: frozenset[str]


@dataclass(frozen=True)
class CommentNow:
    """A comment as Zendesk has it now."""

    id: str
    public: bool
    body: str
    author_id: str | None
    created_at: datetime


class ZendeskReads(Protocol):
    """The reads of ours. None: there is no such thing (any more). Errors are those of `supportops.errors`."""

    async def ticket(self, ticket_id: str) -> TicketNow | None:
        """`GET /tickets/{id}`."""
        ...

    async def comments(self, ticket_id: str) -> Sequence[CommentNow] | None:
        """`GET /tickets/{id}/comments`, the newest first."""
        ...

    async def form_names(self) -> Mapping[str, str]:
        """`GET /ticket_forms`: name by id."""
        ...

    async def organization_name(self, organization_id: str) -> str | None:
        """`GET /organizations/{id}`."""
        ...

    async def user_name(self, user_id: str) -> str | None:
        """`GET /users/{id}`."""
        ...


class NotToBeShown(Exception):
    """The ticket or the comment is gone, or is private now; says why."""


class Names:
    """Names by id that are believed for `lifetime`, hits and misses alike."""

    def __init__(
        self, read: Callable[[str], Awaitable[str | None]], clock: Clock, lifetime: timedelta
    ) -> None:
        self._read = read
        self._clock = clock
        self._lifetime = lifetime
        self._known: dict[str, tuple[datetime, str | None]] = {}

    async def get(self, key: str | None) -> str | None:
        """The name, or None when there is nobody of that id."""
        if key is None:
            return None
        known = self._known.get(key)
        if known is not None and self._clock.now() - known[0] <= self._lifetime:
            return known[1]
        name = await self._read(key)
        while len(self._known) >= CACHED:
            del self._known[next(iter(self._known))]
        self._known.pop(key, None)
        self._known[key] = (self._clock.now(), name)
        return name


class Lookups:
    """Completes what is known of a message by reading Zendesk."""

    def __init__(
        self, zendesk: ZendeskReads, forms: FormNames, clock: Clock, names_lifetime: timedelta
    ) -> None:
        self._zendesk = zendesk
        self._forms = forms
        self._clock = clock
        self._organizations = Names(zendesk.organization_name, clock, names_lifetime)
        self._people = Names(zendesk.user_name, clock, names_lifetime)

    async def routable(self, ticket_id: str, content: Content) -> Routable:
        """What routing needs, all of it known. Raises NotToBeShown for a ticket, or a form, that is not there."""
        form_id, tags = content.text_of("form_id"), content.tags()
        if tags is None or not content.knows("form_id"):
            ticket = await self._zendesk.ticket(ticket_id)
            if ticket is None:
                raise NotToBeShown("the ticket is gone")
            form_id, tags = ticket.form_id, ticket.tags
        public = content.public
        if public is None:
            public = (await self._comment(ticket_id, content)).public
        return Routable(await self._form_name(form_id), tags, public)

    async def line(self, ticket_id: str, content: Content, feed: FeedRule) -> FeedLine:
        """Everything that the message shows. Raises NotToBeShown when it may not be shown (any more)."""
        content = await self._with_ticket(ticket_id, content)
        comment = await self._comment(ticket_id, content)
        if not comment.public and not feed.private_comments:
            raise NotToBeShown("the comment is private")
        person = content.person or await self._people.get(comment.author_id or content.person_id)
        return replace(
            carried_line(ticket_id, content),
            organization=await self._organizations.get(content.text_of("organization_id")),
            comment=comment.body,
            person=person,
        )

    async def _with_ticket(self, ticket_id: str, content: Content) -> Content:
        """The content with status, title and organization, read when the events did not carry them."""
        if all(content.knows(name) for name in ("status", "title", "organization_id")):
            return content
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            raise NotToBeShown("the ticket is gone")
        return content.completed(
            {"status": ticket.status, "title": ticket.title, "organization_id": ticket.organization_id}
        )

    async def _comment(self, ticket_id: str, content: Content) -> CommentNow:
        """The comment that the message is about; a creation's is the ticket's first."""
        comments = await self._zendesk.comments(ticket_id)
        if not comments:
            raise NotToBeShown("the ticket has no comment")
        if content.comment_id is None:
            return min(comments, key=lambda comment: comment.created_at)
        for comment in comments:
            if comment.id == content.comment_id:
                return comment
        raise NotToBeShown("the comment is gone")

    async def _form_name(self, form_id: str | None) -> str:
        if form_id is None:
            return NO_FORM
        now = self._clock.now()
        if form_id not in self._forms.names or self._forms.is_stale(now):
            self._forms.names, self._forms.read_at = dict(await self._zendesk.form_names()), now
        if form_id not in self._forms.names:
            raise NotToBeShown("the ticket's form is not known")
        return self._forms.names[form_id]


def carried_line(ticket_id: str, content: Content) -> FeedLine:
    """The message by what the events carried, without asking anybody."""
    return FeedLine(
        ticket_id=ticket_id,
        at=content.at,
        status=content.text_of("status"),
        person=content.person,
        title=content.text_of("title"),
        comment=None if content.redacted else content.text,
    )
