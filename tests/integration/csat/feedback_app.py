"""csat's feedback export on one database and one sandbox, without broker and consumer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from csat import tables
from csat.destinations import FEEDBACK, FEEDBACK_TAG
from csat.feedback.export import ExportFeedback, FeedbackSources
from csat.feedback.issue_content import Writer
from csat.feedback.ticket_names import PresentNames
from csat.policy.csat import CsatPolicy
from csat.policy.feedback import MANAGERS, PRODUCT, FeedbackPolicy
from csat.ratings.answer import Answer
from csat.ratings.repository import NewRating, Source, record_answer
from csat.surveys.tag import tag_exported
from supportops.clock import SystemClock
from supportops.delivery import Courier
from supportops.delivery.claims import claim
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.gitlab import GitLab
from supportops.vendors.http_client import HttpLimits, make_client
from supportops.vendors.zendesk import References, Zendesk
from tests.integration.csat.assertions import deliveries, rows_of
from tests.integration.csat.sandbox import Outside
from tests.support.engine import hasty, running
from tests.support.eventually import eventually

TEAMS = {MANAGERS: ("@tam",), PRODUCT: ("@ada",)}
RULES = CsatPolicy(
    ticket_updates_per_minute=None,
    feedback=FeedbackPolicy(project="support/feedback", teams=TEAMS, issues_per_minute=1000),
)
QUIET = {"admin_issue": True, "scoped_labels": True, "search_lag": 0, "issues_per_minute": None}


class Feedback:
    """Answers in, issues out."""

    def __init__(self, store: Store, zendesk: Zendesk, gitlab: GitLab | None, outside: Outside) -> None:
        clock, metrics = SystemClock(), Metrics()
        names = References(zendesk, clock=clock, metrics=metrics)
        present = PresentNames(names.forms, names.organizations, RULES.numbers.plan)
        writer = Writer(RULES.feedback, "https://acme.zendesk.com")
        self.store, self.outside, self.metrics = store, outside, metrics
        self.export = ExportFeedback(
            store, FeedbackSources(zendesk, present), gitlab, writer, RULES.feedback, metrics
        )
        self.courier = Courier(store, [hasty(tag_exported(zendesk, RULES)), hasty(self.export)], metrics)

    async def rate(
        self,
        ticket_id: str,
        score: str,
        comment: str | None = None,
        reason: str | None = None,
        source: Source = "hosted",
    ) -> None:
        """The customer answers."""
        answer = Answer(score, comment, reason)  # type: ignore[arg-type]
        async with self.store.transaction() as tx:
            await record_answer(tx, ticket_id, NewRating(answer, source, "5", datetime.now(UTC)))

    async def settled(self, state: str = "done") -> dict[str, Any]:
        """Wait until nothing is waiting or in flight; the deliveries of issues, all of them in `state`."""
        for destination in (FEEDBACK, FEEDBACK_TAG):
            await eventually(partial(self._finished, destination), within=30, about=destination)
        rows = await deliveries(self.store, FEEDBACK)
        assert {row.state for row in rows.values()} <= {state}, [row.outcome for row in rows.values()]
        return rows

    async def _finished(self, destination: str) -> bool:
        rows = await deliveries(self.store, destination)
        unfinished = [row.outcome for row in rows.values() if row.state in ("waiting", "leased")]
        assert not unfinished
        return True

    async def export_and_die(self) -> None:
        """A worker that is killed after its calls, before it can write down what came of them."""
        claimed = await claim(self.store, self.export.spec, 1)
        assert len(await self.export.deliver(claimed.deliveries)) == 1
        async with self.store.transaction() as tx:  # its lease has run out since
            await tx.execute(
                tables.engine.deliveries.update().values(lease_until=tx.now, next_attempt_at=tx.now)
            )
            await tx.execute(tables.engine.lanes.update().values(free_at=None, claimable_at=tx.now))

    async def outcomes(self) -> list[str]:
        """What the rows of issues ended with, by the answer's number."""
        rows = await deliveries(self.store, FEEDBACK)
        return [row.outcome for _, row in sorted(rows.items(), key=lambda item: item[0].rpartition(":")[2])]

    async def issues(self) -> list[dict[str, Any]]:
        """Issues in GitLab."""
        return list((await self.outside.get("/gitlab/issues"))["issues"])

    async def recorded(self) -> list[Any]:
        """Our table."""
        return await rows_of(self.store, tables.issues)


@asynccontextmanager
async def impatient_gitlab(sandbox_url: str, project: str = "support/feedback") -> AsyncIterator[GitLab]:
    """csat's client, which waits a second for an answer instead of twenty."""
    patience = HttpLimits(answer=timedelta(seconds=1))
    base_url = f"{sandbox_url}/gitlab/api/v4"
    async with make_client(base_url, authorization="Bearer glpat-sandbox", patience=patience) as client:
        yield GitLab(client, project, clock=SystemClock(), metrics=Metrics())


@asynccontextmanager
async def exporting(feedback: Feedback) -> AsyncIterator[Feedback]:
    """With its courier at work."""
    async with running(feedback.courier):
        yield feedback
