"""What `notifier doctor` looks at for breach notices: the road to targets, business hours, second roads."""

from collections.abc import Iterable, Iterator

from sqlalchemy import select

from notifier.breaches.reader import ROAD, AccountHours
from notifier.policy.breaches import BreachPolicy
from notifier.settings import ZENDESK_SCOPES, Settings
from notifier.tables import remembered
from supportops.clock import Clock
from supportops.errors import Permanent
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding
from supportops.store import open_store
from supportops.vendors.zendesk import open_zendesk

ROAD_REMEDY = (
    "Look whether the account has an SLA policy and a plan with SLAs; the first ticket with targets shows."
)
HOURS_REMEDY = (
    "Name a schedule of the account in notifier.breaches.schedule, or write hours of your own there."
)
ROADS_REMEDY = "Set the variables that it names, or take the road out of `second_roads`."


def breach_checks(settings: Settings, policy: BreachPolicy, clock: Clock) -> list[Check]:
    """One check for each; none where no rule is about breaches."""
    if not policy.rules:
        return []

    async def road() -> Iterable[Finding]:
        query = select(remembered.c.value).where(remembered.c.name == ROAD)
        async with open_store(settings.database, clock=clock) as store, store.reading() as conn:
            found = (await conn.execute(query)).scalar()
        if found is None:
            return [Finding("sla targets", "warning", "no road to them has shown itself yet", ROAD_REMEDY)]
        return [Finding("sla targets", "ok", f"read by the road {found}")]

    async def hours() -> Iterable[Finding]:
        if not any(rule.hours == "business" for rule in policy.rules):
            return [Finding("business hours", "skipped", "every rule counts by the calendar")]
        async with open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=Metrics()) as zendesk:
            return [await hours_finding(AccountHours(zendesk, policy.schedule))]

    async def roads() -> Iterable[Finding]:
        return list(missing_roads(settings, policy)) or [Finding("second roads", "ok", _named(policy))]

    return [
        Check("sla targets", road, "Run `notifier migrate`, then start the worker."),
        Check("business hours", hours, HOURS_REMEDY),
        Check("second roads", roads, ROADS_REMEDY),
    ]


async def hours_finding(account: AccountHours) -> Finding:
    """Whether leads can be counted in business hours."""
    try:
        hours = await account.asked()
    except Permanent as error:
        return Finding("business hours", "failed", str(error), HOURS_REMEDY)
    if hours is None:
        words = "the account has no schedule: leads in business hours are counted by the calendar"
        return Finding("business hours", "warning", words, HOURS_REMEDY)
    if not hours.intervals:
        words = (
            "the schedule has no hours that can be read: leads in business hours are counted by the calendar"
        )
        return Finding("business hours", "warning", words, HOURS_REMEDY)
    words = f"{len(hours.intervals)} intervals a week, {len(hours.holidays)} holidays, in {hours.zone}"
    return Finding("business hours", "ok", words)


def missing_roads(settings: Settings, policy: BreachPolicy) -> Iterator[Finding]:
    """Second roads of the rules that the environment does not know."""
    wanted = {road.by for rule in policy.rules for road in rule.second_roads}
    if "webhook" in wanted and settings.second_road.webhook_url is None:
        words = "a rule names `by: webhook`, and NOTIFIER_WEBHOOK_URL is not set"
        yield Finding("second roads", "failed", words, ROADS_REMEDY)
    if "email" in wanted and settings.smtp.host is None:
        words = "a rule names `by: email`, and SMTP_HOST is not set"
        yield Finding("second roads", "failed", words, ROADS_REMEDY)


def _named(policy: BreachPolicy) -> str:
    named = sorted({road.name for rule in policy.rules for road in rule.second_roads})
    return ", ".join(named) or "no rule has one: a notice that Slack does not take waits for Slack"
