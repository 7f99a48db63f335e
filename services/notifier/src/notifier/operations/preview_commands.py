"""`notifier preview`: the messages of a ticket, or of an example in a file, as they would look. Posts nothing."""

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from pydantic import AwareDatetime, Field, ValidationError

from notifier.changes.words import Shown
from notifier.feeds.context import MessageContext, names_of
from notifier.feeds.lookups import NotToBeShown, facts_of
from notifier.feeds.merge import Content
from notifier.feeds.render import FeedLine, Look, render
from notifier.policy.conditions import Actor, Routable, Verdict
from notifier.policy.kinds import COMMENTS, Kind
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.settings import Settings
from notifier.slack.message import Message
from notifier.slack.picture import as_json
from supportops.config import RulesCommandSettings
from supportops.config.rules_file import Rules
from supportops.runtime.cli import AsJson, Service, execute, execute_with
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED

TICKET = re.compile(r"[0-9]{1,20}", re.ASCII)
EXAMPLE_URL = "https://example.zendesk.com"


class OpenContext(Protocol):
    """Opens what the destinations work with; the wiring knows how."""

    def __call__(
        self, settings: Settings, policy: NotifierPolicy
    ) -> AbstractAsyncContextManager[MessageContext]: ...


class Example(Rules):
    """A ticket and a comment made up, for a look at rules and templates without Zendesk."""

    ticket_id: str = Field("12345", pattern=r"^[0-9]{1,20}$")
    at: AwareDatetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    status: str = "open"
    person: str = "Ada Agent"
    title: str = "Runner fails to register"
    comment: str = "Please run it with --debug."
    public: bool = True
    form: str = ""
    tags: tuple[str, ...] = ()
    kind: Kind = "commented"
    before: str = ""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reason: str = ""
    actor: Actor = "person"
    priority: str = "normal"
    brand: str = ""
    group: str = ""
    organization: str = "Example Ltd"
    plan: str = ""
    region: str = ""

    def routable(self) -> Routable:
        """What routing looks at."""
        names = (
            "form",
            "public",
            "kind",
            "actor",
            "priority",
            "brand",
            "group",
            "organization",
            "plan",
            "region",
            "status",
        )
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        facts |= {name: frozenset(getattr(self, name)) for name in ("tags", "added", "removed")}
        return Routable(**facts, score=self.after if self.kind == "rated" else "")

    def line(self) -> FeedLine:
        """What a message shows."""
        names = {
            name: getattr(self, name) for name in ("form", "priority", "brand", "group", "plan", "region")
        }
        said = self.kind in COMMENTS
        return FeedLine(
            self.ticket_id,
            self.at,
            self.status,
            self.person,
            self.title,
            self.organization,
            self.comment if said else None,
            names,
            () if said else (self.change(),),
            self.kind if said else "",
        )

    def change(self) -> Shown:
        """What was changed, where the example is of a change."""
        if self.kind != "tags":
            return Shown(self.kind, self.kind, self.before, self.after, self.reason)
        signed = ([f"-{tag}" for tag in self.removed], [f"+{tag}" for tag in self.added])
        return Shown(self.kind, "tags", *(" ".join(tags) for tags in signed))


@dataclass(frozen=True)
class Preview:
    """What each feed would do with a message."""

    feed: FeedRule
    message: Message | None
    why_not: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        if self.message is None:
            return {"feed": self.feed.name, "message": None, "why_not": self.why_not}
        return as_json(self.feed.name, self.feed.channel, self.message)


def add_preview_command(
    app: typer.Typer, service: Service[Settings, NotifierPolicy], open_context: OpenContext
) -> None:
    """Add `preview` to the notifier's command line."""

    @app.command()
    def preview(
        what: Annotated[str, typer.Argument(help="A ticket's id, or a JSON file with an example.")],
        feed: Annotated[
            str | None, typer.Option(help="Only this feed, also when it does not want it.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Show what would be posted where, and why not elsewhere: for a ticket's newest comment, or an example."""
        if TICKET.fullmatch(what):

            async def of_ticket(settings: Settings) -> int:
                policy = service.load_policy(settings)
                async with open_context(settings, policy) as context:
                    return _show(await ticket_previews(context, what, feed), as_json=as_json)

            raise typer.Exit(execute(service, of_ticket))
        example = _read(Path(what))

        async def of_example(settings: RulesCommandSettings) -> int:
            return _show(previews(service.load_policy(settings), example, feed), as_json=as_json)

        raise typer.Exit(execute_with(service, RulesCommandSettings, of_example))


def previews(policy: NotifierPolicy, example: Example, only: str | None = None) -> list[Preview]:
    """What each feed would do with an example."""
    found = []
    for feed, why_not in _wanted(policy, example.routable(), only):
        look = Look(EXAMPLE_URL, feed.colour, policy.comment_length, feed.mention, feed.template)
        found.append(Preview(feed, None if why_not else render(example.line(), look), why_not))
    return found


async def ticket_previews(context: MessageContext, ticket_id: str, only: str | None) -> list[Preview]:
    """What each feed would do with the newest comment of a ticket, by what Zendesk says now."""
    ticket = (await context.lookups.tickets([ticket_id])).get(ticket_id)
    comments = await context.lookups.comments(ticket_id)
    if ticket is None or not comments:
        return []
    newest = comments[0]
    content = Content(
        at=newest.created_at or ticket.updated_at,
        facts=facts_of(ticket),
        public=newest.public,
        comment_id=newest.id,
        kind="created" if len(comments) == 1 else "commented",
    )
    routable = await context.lookups.routable(ticket_id, content)
    found = []
    for feed, why_not in _wanted(context.policy, routable, only):
        message = None
        if not why_not:
            try:
                _, line = await context.lookups.line(ticket_id, content, feed)
                message = context.laid_out(feed, replace(line, names=names_of(routable)))
            except NotToBeShown as reason:
                why_not = str(reason)
        found.append(Preview(feed, message, why_not))
    return found


def _wanted(policy: NotifierPolicy, routable: Routable, only: str | None) -> list[tuple[FeedRule, str]]:
    """Each feed, or the only one, with what it has against the message."""
    verdicts = [(feed, policy.verdict(feed, routable)) for feed in policy.feeds]
    chosen = {feed.name for feed in policy.chosen(verdicts)[0]}
    later = "an earlier feed took it (match: first)"
    found = []
    for feed, verdict in verdicts:
        why = policy.judge(feed, routable).why or ("" if feed.name in chosen else later)
        if only in (None, feed.name):
            found.append((feed, "" if verdict is Verdict.YES and feed.name in chosen else why))
    return found


def _read(path: Path) -> Example:
    """The example in a file. Raises typer.BadParameter with what is wrong in it."""
    try:
        return Example.model_validate_json(path.read_bytes())
    except OSError as error:
        wrong = f"{path}: {error.strerror}; give a ticket's id or a JSON file with an example"
        raise typer.BadParameter(wrong) from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise typer.BadParameter(f"{path}: {wrong}") from None


def _show(found: Sequence[Preview], *, as_json: bool) -> int:
    if as_json:
        emit([each.document() for each in found], as_json=True)
    for each in [] if as_json else found:
        typer.echo(f"{each.feed.name} ({each.feed.channel}): {each.why_not and f'not, {each.why_not}'}")
        if each.message is not None:
            typer.echo(each.document()["picture"] + "\n")
    if not found:
        typer.echo("notifier: no feed of that name, or the ticket or its comments are gone", err=True)
    return CLEAN if found else FAILED
