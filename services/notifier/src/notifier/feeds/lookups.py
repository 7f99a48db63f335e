"""What an event does not tell, read from Zendesk where a message is made; names are believed for a while.

Comments are read every time: whether one is public is decided by what Zendesk says now, not by what an event said.
"""

from dataclasses import replace

from notifier.feeds.merge import Content
from notifier.feeds.render import FeedLine
from notifier.feeds.routing import FormNames
from notifier.policy.routing import NO_FORM, FeedRule, Routable
from supportops.clock import Clock
from supportops.vendors.zendesk import Comment, References, Zendesk


class NotToBeShown(Exception):
    """The ticket or the comment is gone, or is private now; says why."""


class Lookups:
    """Completes what is known of a message by reading Zendesk."""

    def __init__(self, zendesk: Zendesk, references: References, forms: FormNames, clock: Clock) -> None:
        self._zendesk = zendesk
        self._references = references
        self._forms = forms
        self._clock = clock

    async def routable(self, ticket_id: str, content: Content) -> Routable:
        """What routing needs, all of it known. Raises NotToBeShown for a ticket, or a form, that is not there."""
        form_id, tags = content.text_of("form_id"), content.tags()
        if tags is None or not content.knows("form_id"):
            ticket = await self._zendesk.ticket(ticket_id)
            if ticket is None:
                raise NotToBeShown("the ticket is gone")
            form_id, tags = ticket.form_id, frozenset(ticket.tags)
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
        return replace(
            carried_line(ticket_id, content),
            organization=await self._organization(content.text_of("organization_id")),
            comment=comment.body,
            person=content.person or await self._person(comment.author_id or content.person_id),
        )

    async def _with_ticket(self, ticket_id: str, content: Content) -> Content:
        """The content with status, title and organization, read when the events did not carry them."""
        if all(content.knows(name) for name in ("status", "title", "organization_id")):
            return content
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            raise NotToBeShown("the ticket is gone")
        return content.completed(
            {"status": ticket.status, "title": ticket.subject, "organization_id": ticket.organization_id}
        )

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

    async def _organization(self, organization_id: str | None) -> str | None:
        found = await self._references.organizations.find(organization_id) if organization_id else None
        return found.name if found else None

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
