"""The Zendesk stand-in put together."""

from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.web import RouteRow, routes
from sandbox.zendesk import seed, triggers
from sandbox.zendesk.account import Account, Action
from sandbox.zendesk.bulk_api import BulkApi
from sandbox.zendesk.business_rules_api import BusinessRulesApi
from sandbox.zendesk.export_api import ExportApi
from sandbox.zendesk.jobs import Jobs
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.memberships_api import MembershipsApi
from sandbox.zendesk.middleware import ZendeskMiddleware
from sandbox.zendesk.oauth import OAuthTokens
from sandbox.zendesk.organization_jobs_api import OrganizationJobsApi
from sandbox.zendesk.organizations_api import OrganizationsApi
from sandbox.zendesk.reference_api import ReferenceApi
from sandbox.zendesk.search_api import SearchApi
from sandbox.zendesk.sender import Post, Sender
from sandbox.zendesk.sla_api import SlaApi
from sandbox.zendesk.surveys_api import SurveysApi
from sandbox.zendesk.ticket_editor import TicketEditor
from sandbox.zendesk.tickets_api import TicketsApi
from sandbox.zendesk.users_api import UsersApi
from sandbox.zendesk.views_api import ViewsApi
from sandbox.zendesk.webhooks_api import WebhooksApi


class Zendesk:
    """Account, ticket editor, limits and sender; `actions` keeps what happened, to compare with what should be."""

    def __init__(self, settings: Settings, clock: Clock, ledger: Ledger, post: Post) -> None:
        self.limits = Limits(clock)
        self.oauth = OAuthTokens(settings, clock)
        self.sender = Sender(settings.account_id, post, clock, ledger)
        self.account = Account(settings, clock, self._publish)
        self.editor = TicketEditor(self.account)
        self.export = ExportApi(self.account, self.limits, clock)
        self.actions: list[Action] = []
        self._clock = clock
        self._ledger = ledger
        self.plant()

    def plant(self) -> None:
        """Back to the seeds, nothing sent."""
        self.sender.clear()
        self.oauth.plant()
        seed.plant(self.account)
        self.actions.clear()

    def routes(self) -> list[Route]:
        account, ledger = self.account, self._ledger
        jobs = Jobs(account, self._clock)
        organizations = OrganizationsApi(account, ledger)
        rows: list[RouteRow] = [
            # Fixed words come before {id} of the same place.
            *jobs.rows(),
            *BulkApi(account, self.editor, jobs, ledger).rows(),
            *TicketsApi(account, self.editor, self.limits, ledger).rows(),
            *UsersApi(account, ledger).rows(),
            *MembershipsApi(account, ledger).rows(),
            *OrganizationJobsApi(account, organizations, jobs, ledger).rows(),
            *organizations.rows(),
            *ReferenceApi(account).rows(),
            *BusinessRulesApi(account).rows(),
            *SlaApi(account).rows(),
            *SearchApi(account).rows(),
            *ViewsApi(account, self.limits).rows(),
            *self.export.rows(),
            *SurveysApi(account).rows(),
            *WebhooksApi(account, self.sender, self._clock).rows(),
        ]
        return routes(rows, ZendeskMiddleware(account, self.limits, self.oauth))

    def _publish(self, action: Action) -> None:
        self.actions.append(action)
        for webhook in self.sender.webhooks.values():
            if webhook.is_trigger:
                self._fire(webhook.id, action)
                continue
            for event in action.events:
                if webhook.wants(event.type):
                    self.sender.send(webhook, event.id, event.type, event.record_id, event.body)

    def _fire(self, webhook_id: str, action: Action) -> None:
        webhook = self.sender.webhooks[webhook_id]
        if action.ticket is None or webhook.status != "active":
            return
        for name in triggers.fired(webhook.triggers, action):
            body = triggers.body_of(name, self.account, action.ticket, action.actor_id)
            self.sender.send(webhook, "", f"trigger:{name}", action.record_id, body)
