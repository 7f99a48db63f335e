"""The one place that knows every concrete class of csat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from csat.feedback.export import OFF, ExportFeedback, FeedbackSources
from csat.feedback.issue_content import Writer
from csat.feedback.ticket_names import PresentNames
from csat.kpi.aggregation import Tallying
from csat.kpi.ticket_snapshot import DescribeSolves, Names
from csat.policy.csat import CsatPolicy
from csat.ratings.backfill import Backfill, Sources, Span
from csat.ratings.catch_up import CatchUp
from csat.ratings.native import ReadRatings
from csat.ratings.native_mapping import NativeRatingMapper
from csat.ratings.retention import keep_comments, own_retention
from csat.settings import ZENDESK_SCOPES, Settings, WebSettings
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import Languages, load_languages
from csat.surveys.handlers import SurveyHandlers
from csat.surveys.send import AskRequester
from csat.surveys.tag import tag_exported, tag_surveyed
from supportops.clock import Clock, SystemClock
from supportops.config.rules_file import Section
from supportops.delivery import Destination
from supportops.messaging import UNHURRIED, Handlers
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Metrics
from supportops.runtime.output import progress
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.store import open_store
from supportops.vendors.cache import Lifetime
from supportops.vendors.gitlab import GitLab, open_gitlab
from supportops.vendors.zendesk import References, Zendesk, open_zendesk
from supportops.workers import Periodic, Relay

PACKAGE, GROUP = "csat", "csat"

log = get_logger("csat.wiring")


@dataclass(frozen=True)
class Vendors:
    """Other people's servers, as csat's workers reach them; no GitLab: feedback is not exported."""

    zendesk: Zendesk
    gitlab: GitLab | None


async def serve(settings: WebSettings) -> int:
    """The survey page and the API; its votes are published by a relay of its own."""
    async with open_parts(settings, PACKAGE) as parts:
        relay = Relay(parts.broker, parts.store, parts.metrics)
        return await run_process(settings, parts, http_side(settings, parts), relay)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components)


async def run(settings: Settings) -> int:
    """Both in one process."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, http_side(settings, parts), *components)


async def backfill(
    settings: Settings, since: datetime, until: datetime | None, *, dry_run: bool
) -> dict[str, int]:
    """Bring history in from Zendesk, with half of our share of its calls: a running worker has the other one."""
    policy, clock, metrics = POLICY.load(settings.config.file), SystemClock(), Metrics()
    half = settings.zendesk.model_copy(update={"rate_share": settings.zendesk.rate_share / 2})
    async with (
        open_store(settings.database, clock=clock, patient=True) as store,
        open_zendesk(half, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
    ):
        names = References(zendesk, clock=clock, metrics=metrics)
        looked_up = Names(names.organizations, names.forms, names.groups, names.users)
        describe = DescribeSolves(zendesk.tickets, looked_up, policy.numbers)
        sources = Sources(zendesk.satisfaction, zendesk.exports, zendesk.tickets, describe)
        with progress("backfill") as report:
            work = Backfill(store, sources, policy, report, dry_run=dry_run)
            return await work.run(Span(since, until or clock.now()))


def http_side(settings: WebSettings, parts: Parts) -> Component:
    """The survey page, the API and the operators' pages."""
    policy = POLICY.load(settings.config.file)
    tokens = survey_tokens(settings, policy, parts.clock)
    from csat.web import http_server  # FastAPI and the pages take memory: a worker does without

    return http_server(settings, parts, policy, tokens, languages(policy, settings.config.file))


@asynccontextmanager
async def workers(settings: Settings, parts: Parts) -> AsyncIterator[tuple[Component, ...]]:
    """What `work` runs."""
    policy = POLICY.load(settings.config.file)
    table = SurveyHandlers(policy.survey_after).table()
    async with open_vendors(settings, policy, parts) as vendors:
        yield (
            *worker_components(
                parts,
                table,
                destinations(settings, policy, parts, vendors),
                group=GROUP,
                policy=UNHURRIED,
                retention=own_retention(policy),
            ),
            Tallying(parts.store, policy.numbers.zone),
            keep_comments(parts.store, policy, parts.metrics),
            *catching_up(policy, parts, vendors.zendesk, table),
        )


def catching_up(policy: CsatPolicy, parts: Parts, zendesk: Zendesk, table: Handlers) -> tuple[Component, ...]:
    """The regular look for what no webhook told; none where the rules switch it off."""
    if policy.catch_up is None:
        return ()
    catch_up = CatchUp(parts.store, zendesk.exports, zendesk.tickets, table, parts.metrics)
    return (Periodic("catch_up", parts.store, catch_up.look, policy.catch_up),)


def destinations(settings: Settings, policy: CsatPolicy, parts: Parts, vendors: Vendors) -> list[Destination]:
    """Everybody whom the courier calls. Tags go first: a survey is not finished without, and both share a budget."""
    zendesk, tokens = vendors.zendesk, survey_tokens(settings, policy, parts.clock)
    text = SurveyText(settings.survey.base_url, tokens, languages(policy, settings.config.file))
    names = References(zendesk, clock=parts.clock, metrics=parts.metrics)
    reading = NativeRatingMapper(policy.native_ratings, policy.reasons, policy.comment_limit)
    return [
        tag_surveyed(zendesk, policy),
        AskRequester(parts.store, zendesk, names.organizations, text, policy),
        ReadRatings(zendesk, reading),
        DescribeSolves(zendesk.tickets, names_of_solves(zendesk, names, parts), policy.numbers),
        *feedback(settings, policy, parts, vendors, names),
    ]


def feedback(
    settings: Settings, policy: CsatPolicy, parts: Parts, vendors: Vendors, names: References
) -> tuple[Destination, Destination]:
    """What turns ratings into issues, and tags their tickets afterwards."""
    writer = Writer(policy.feedback, settings.zendesk.base_url)
    present = PresentNames(names.forms, names.organizations, policy.numbers.plan)
    sources = FeedbackSources(vendors.zendesk, present)
    export = ExportFeedback(parts.store, sources, vendors.gitlab, writer, policy.feedback, parts.metrics)
    return tag_exported(vendors.zendesk, policy), export


@asynccontextmanager
async def open_vendors(settings: Settings, policy: CsatPolicy, parts: Parts) -> AsyncIterator[Vendors]:
    """The clients of csat's workers."""
    async with (
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=parts.clock, metrics=parts.metrics) as zendesk,
        feedback_project(settings, policy, parts) as gitlab,
    ):
        yield Vendors(zendesk, gitlab)


@asynccontextmanager
async def feedback_project(
    settings: Settings, policy: CsatPolicy, parts: Parts
) -> AsyncIterator[GitLab | None]:
    """The project that takes feedback; None where none is set, or no GitLab."""
    project, address, token = policy.feedback.project, settings.gitlab.base_url, settings.gitlab.token
    if project is None or address is None or token is None:
        if project is not None or address is not None:
            log.warning("feedback.off", reason=OFF)
        yield None
        return
    async with open_gitlab(address, token, project, clock=parts.clock, metrics=parts.metrics) as gitlab:
        yield gitlab


def names_of_solves(zendesk: Zendesk, names: References, parts: Parts) -> Names:
    """Names for the numbers; an organization's plan is to be that of the solve, so it is read anew all the time."""
    lifetime = Lifetime(found=timedelta(seconds=30), absent=timedelta(seconds=30))
    fresh = References(zendesk, clock=parts.clock, metrics=parts.metrics, lifetime=lifetime)
    return Names(fresh.organizations, names.forms, names.groups, names.users)


def survey_tokens(settings: WebSettings, policy: CsatPolicy, clock: Clock) -> SurveyTokens:
    """Signs links with the current key, reads those of all keys."""
    keys = [key.get_secret_value() for key in settings.survey.link_keys]
    return SurveyTokens(keys, policy.link_valid_for, clock)


def languages(policy: CsatPolicy, file: Path) -> Languages:
    """What the page and the message say; the organization's own texts stand beside its rules. Raises ConfigError."""
    folder = policy.page.texts_folder
    return load_languages(policy.page.locale, folder and file.parent / folder)


def _check_texts(policy: CsatPolicy, file: Path) -> None:
    languages(policy, file)


POLICY = Section("csat", CsatPolicy, also=_check_texts)
