"""`notifier preview`: the messages and breach notices of a ticket, or of an example in a file, as they would look.

Posts nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from pydantic import AwareDatetime, Field, ValidationError

from notifier.breaches.render import NoticeFacts
from notifier.breaches.render import render as render_notice
from notifier.breaches.targets import Target, TargetState, metric_word
from notifier.changes.words import Shown
from notifier.feeds.context import MessageContext, names_of
from notifier.feeds.lookups import NotToBeShown, facts_of
from notifier.feeds.merge import Content
from notifier.feeds.render import FeedLine, Look, render
from notifier.policy.breaches import BreachRule, TicketFacts
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
from supportops.vendors.zendesk import Ticket

TICKET = re.compile(r"[0-9]{1,20}", re.ASCII)
EXAMPLE_URL = "https://example.zendesk.com"
EXAMPLE_METRIC = "first_reply_time"

type TargetsOf = Callable[[BreachRule], Sequence[Target]]


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
    """What a feed would do with a message, or a breach rule with a notice."""

    rule: FeedRule | BreachRule
    message: Message | None
    why_not: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        name = {"breach_rule" if isinstance(self.rule, BreachRule) else "feed": self.rule.name}
        if self.message is None:
            return name | {"message": None, "why_not": self.why_not}
        return name | as_json(self.rule.channel, self.message)


def add_preview_command(
    app: typer.Typer, service: Service[Settings, NotifierPolicy], open_context: OpenContext
) -> None:
    """Add `preview` to the notifier's command line."""

    @app.command()
    def preview(
        what: Annotated[str, typer.Argument(help="A ticket's id, or a JSON file with an example.")],
        feed: Annotated[
            str | None, typer.Option(help="Only this feed or breach rule, also when it does not want it.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Show what would be posted where, and why not elsewhere: for a ticket's newest comment and its SLA targets, or
        for an example.
        """
        if TICKET.fullmatch(what):

            async def of_ticket(settings: Settings) -> int:
                policy = service.load_policy(settings)
                _demand_known(policy, feed)
                async with open_context(settings, policy) as context:
                    return _show(await ticket_previews(context, what, feed), as_json=as_json)

            raise typer.Exit(execute(service, of_ticket))
        example = _read(Path(what))

        async def of_example(settings: RulesCommandSettings) -> int:
            policy = service.load_policy(settings)
            _demand_known(policy, feed)
            return _show(previews(policy, example, feed), as_json=as_json)

        raise typer.Exit(execute_with(service, RulesCommandSettings, of_example))


def previews(policy: NotifierPolicy, example: Example, only: str | None = None) -> list[Preview]:
    """What each feed would do with an example."""
    found = []
    for feed, why_not in _wanted(policy, example.routable(), only):
        look = Look(EXAMPLE_URL, feed.colour, policy.comment_length, feed.mention, feed.template)
        found.append(Preview(feed, None if why_not else render(example.line(), look), why_not))
    facts = TicketFacts(example.status, frozenset(example.tags), example.form, example.priority)

    def made_up(rule: BreachRule) -> Sequence[Target]:
        lead = max((step.length for step in rule.of_kind("before")), default=timedelta())
        return [Target((*rule.metrics, EXAMPLE_METRIC)[0], "active", example.at + lead)]

    told = NoticeFacts(example.ticket_id, example.title, "", example.at, "preview")
    return found + list(_notices(policy, facts, told, made_up, EXAMPLE_URL, only))


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
    return found + await notices_of(context, ticket, only)


async def notices_of(context: MessageContext, ticket: Ticket, only: str | None) -> list[Preview]:
    """What each breach rule would post of the ticket's targets that run."""
    if not context.policy.breaches.rules:
        return []
    form = await context.lookups.form_of(ticket)
    shown = f"form {ticket.form_id}" if form is None else form  # which no rule that includes forms has
    facts = TicketFacts(ticket.status, frozenset(ticket.tags), shown, ticket.priority or "")
    probe = await context.zendesk.slas.probe(ticket.id)
    targets = [Target(metric_word(each.metric), each.stage, each.breach_at) for each in probe.targets]

    def running(rule: BreachRule) -> Sequence[Target]:
        return [each for each in targets if each.runs and each.metric in (rule.metrics or (each.metric,))]

    now = context.store.clock.now()
    told = NoticeFacts(ticket.id, ticket.subject or "", "", now, "preview")
    return list(_notices(context.policy, facts, told, running, context.base_url, only))


def _notices(
    policy: NotifierPolicy,
    facts: TicketFacts,
    told: NoticeFacts,
    targets: TargetsOf,
    base_url: str,
    only: str | None,
) -> Iterator[Preview]:
    """Each breach rule, or the only one: a notice of each of its targets, or what it has against the ticket.

    `told`: of the ticket, as of its `breach_at`.
    """
    secret = f"never_forms: the ticket's form is {facts.form!r}" if policy.is_secret(facts.form or "") else ""
    first: str | None = None
    for rule in policy.breaches.rules:
        why = secret or rule.objection(facts) or (first and f"the rule {first} above concerns it") or ""
        first = first if why else rule.name
        if only not in (None, rule.name):
            continue
        found = [] if why else targets(rule)
        if not found:
            yield Preview(rule, None, why or "no target of it runs")
        for each in found:
            at = each.breach_at or told.breach_at
            state = TargetState.BREACHED if at <= told.breach_at else TargetState.OPEN
            notice = replace(told, metric=each.metric, breach_at=at, state=state)
            yield Preview(rule, render_notice(notice, rule, base_url))


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


def _demand_known(policy: NotifierPolicy, only: str | None) -> None:
    """BadParameter for a name that no feed and no breach rule has."""
    names = [each.name for each in policy.feeds] + [each.name for each in policy.breaches.rules]
    if only is not None and only not in names:
        known = ", ".join(names) or "none"
        raise typer.BadParameter(f"the rules have no {only!r}, they have: {known}", param_hint="--feed")


def _read(path: Path) -> Example:
    """The example in a file. Raises typer.BadParameter with what is wrong in it."""
    try:
        return Example.model_validate_json(path.read_bytes())
    except OSError as error:
        wrong = f"{path}: {error.strerror}; give a ticket's id or a JSON file with an example"
        raise typer.BadParameter(wrong) from None
    except ValidationError as error:
        wrong = "; ".join(
            ": ".join(part for part in (".".join(map(str, each["loc"])), each["msg"]) if part)
            for each in error.errors()
        )
        raise typer.BadParameter(f"{path}: {wrong}") from None


def _show(found: Sequence[Preview], *, as_json: bool) -> int:
    if as_json:
        emit([each.document() for each in found], as_json=True)
    for each in [] if as_json else found:
        typer.echo(f"{each.rule.name} ({each.rule.channel}): {each.why_not and f'not, {each.why_not}'}")
        if each.message is not None:
            typer.echo(each.document()["picture"] + "\n")
    if not found:
        typer.echo("notifier: the rules have no feed, or the ticket or its comments are gone", err=True)
    return CLEAN if found else FAILED
