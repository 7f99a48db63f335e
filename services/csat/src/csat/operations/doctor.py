"""`csat doctor`: everything csat needs of the world around it, looked at now. Reads only; changes nothing anywhere."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from csat.operations.gitlab_checks import feedback_check
from csat.operations.public_url_checks import public_checks
from csat.operations.zendesk_checks import AccountChecks
from csat.policy.csat import CsatPolicy
from csat.settings import ZENDESK_SCOPES, Settings
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.operations import zendesk_checks
from supportops.operations.checks import Check, Finding
from supportops.vendors.gitlab import open_gitlab
from supportops.vendors.zendesk.connection import open_connection


@asynccontextmanager
async def checks(settings: Settings, policy: CsatPolicy) -> AsyncIterator[Sequence[Check]]:
    """What `csat doctor` looks at, beside database and broker; no secret is in its findings."""
    clock = SystemClock()

    async def credential() -> Iterable[Finding]:
        return [zendesk_checks.credential(settings.zendesk, clock)]

    async with AsyncExitStack() as stack:
        zendesk = await stack.enter_async_context(
            open_connection(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=Metrics())
        )
        gitlab, project = settings.gitlab, policy.feedback.project
        client = None
        if gitlab.base_url is not None and gitlab.token is not None and project is not None:
            client = await stack.enter_async_context(
                open_gitlab(gitlab.base_url, gitlab.token, project, clock=clock, metrics=Metrics())
            )
        yield [
            Check("zendesk credential", credential),
            *AccountChecks(zendesk, policy, clock).all(),
            feedback_check(client, policy.feedback),
            *public_checks(settings.survey.base_url),
        ]
