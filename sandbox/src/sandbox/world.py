"""All stand-ins together, and what a reset does."""

from sandbox.clock import Clock
from sandbox.faults import FaultBook
from sandbox.gitlab.service import GitLab
from sandbox.ledger import Ledger
from sandbox.salesforce.api import SalesforceApi
from sandbox.salesforce.org import Org
from sandbox.settings import Settings
from sandbox.slack.api import SlackApi
from sandbox.slack.requests import AppRequests
from sandbox.slack.workspace import Workspace
from sandbox.zendesk.sender import Post
from sandbox.zendesk.service import Zendesk


class World:
    """One pretended outside world; everything is in memory."""

    def __init__(self, settings: Settings, clock: Clock, post: Post) -> None:
        self.settings = settings
        self.clock = clock
        self.ledger = Ledger(clock)
        self.faults = FaultBook(clock)
        self.zendesk = Zendesk(settings, clock, self.ledger, post)
        self.org = Org(clock, self.ledger)
        self.salesforce = SalesforceApi(settings, clock, self.org)
        self.workspace = Workspace(clock)
        self.slack = SlackApi(settings, self.workspace, self.ledger)
        self.app_requests = AppRequests(settings, self.workspace, self.ledger)
        self.gitlab = GitLab(settings, clock, self.ledger)

    async def reset(self) -> None:
        """Back to the seeds: records, webhooks, faults and ledger are forgotten; limits and paces stay as set."""
        await self.zendesk.sender.stop()
        self.zendesk.plant()
        self.org.plant()
        self.salesforce.collections.record_faults.clear()
        self.salesforce.usage.used = 0
        self.salesforce.sessions.refusal = None
        self.salesforce.sessions.plant()
        self.workspace.plant()
        self.gitlab.plant()
        self.faults.clear()
        self.ledger.clear()
