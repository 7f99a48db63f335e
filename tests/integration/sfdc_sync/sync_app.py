"""Accounts to organizations as these tests run it, and both outside systems as people change them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from sandbox.clients import tls
from sfdc_sync.integrity.checks import Integrity
from sfdc_sync.operations.organization_jobs import Files, Vendors, integrity, organization_sync
from sfdc_sync.organizations.repository import Repository
from sfdc_sync.organizations.runs import OrganizationSync
from sfdc_sync.policy.ignored import Ignored, IgnoreList
from sfdc_sync.policy.organizations import BrakePolicy, IntegrityPolicy, Limit, OrganizationsPolicy
from sfdc_sync.policy.overrides import Overrides
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.settings import ZENDESK_SCOPES
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import open_zendesk
from tests.integration.sfdc_sync.sandbox import Outside
from tests.support.sandbox import INTEGRATION_LOGIN, zendesk_settings

ROOMY = Limit(absolute=1_000, share=1.0, least=1_000)
POLICY = OrganizationsPolicy(
    overlap=timedelta(minutes=5),
    brake=BrakePolicy(changes=ROOMY, blanks=ROOMY, disappeared=ROOMY, marks=ROOMY, creates=ROOMY),
)
GROABLET, ACME = "001D000000IqhSLIAZ", "0018a00001rBqb8AAC"
GROABLET_ORG, ACME_ORG, GITLAB_ORG = "8447346622462", "8447346622463", "8447346622464"


@dataclass
class Systems:
    """Both outside systems as people change them, and what clients wrote."""

    base_url: str

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.base_url, timeout=10, auth=INTEGRATION_LOGIN, verify=tls())

    def close(self) -> None:
        self._http.close()

    def account(self, name: str, **fields: Any) -> str:
        """A new customer account; its id."""
        values = {"Name": name, "Type": "Customer", "Support_Level__c": "Premium", **fields}
        return str(self._post("/control/salesforce/records", {"object": "Account", "fields": values})["id"])

    def subscription(self, account_id: str, plan: str, status: str) -> None:
        values = {"Account__c": account_id, "Plan_Name__c": plan, "Current_Subscription_Status__c": status}
        self._post("/control/salesforce/records", {"object": "Customer_Subscription__c", "fields": values})

    def records(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ok(self._http.get(f"/control/salesforce/records/{name}"))[
            "records"
        ]
        return found

    def edit_account(self, key: str, **fields: Any) -> None:
        self.edit("Account", key, **fields)

    def edit(self, name: str, key: str, **fields: Any) -> None:
        body = {"object": name, "id": key, "fields": fields}
        self._ok(self._http.patch("/control/salesforce/records", json=body))

    def salesforce(self, what: str, **body: Any) -> None:
        """`delete`, `undelete`, `merge`, `rights`, `expire` …"""
        self._post(f"/control/salesforce/{what}", body)

    def organization(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ok(self._http.get(f"/zendesk/api/v2/organizations/{key}"))[
            "organization"
        ]
        return found

    def edit_organization(self, key: str, **values: Any) -> None:
        self._ok(self._http.put(f"/zendesk/api/v2/organizations/{key}", json={"organization": values}))

    def delete_organization(self, key: str) -> None:
        self._ok(self._http.delete(f"/zendesk/api/v2/organizations/{key}"))

    def merge_organizations(self, loser: str, winner: str) -> None:
        body = {"organization_merge": {"winner_id": int(winner)}}
        self._post(f"/zendesk/api/v2/organizations/{loser}/merge", body)

    def by_external_id(self, key: str) -> list[dict[str, Any]]:
        answer = self._http.get("/zendesk/api/v2/organizations/show_many", params={"external_ids": key})
        found: list[dict[str, Any]] = self._ok(answer)["organizations"]
        return found

    def writes(self) -> list[str]:
        """Organizations that a client wrote to since the reset, oldest first: `updated 8447…`."""
        entries = self._ok(self._http.get("/control/ledger", params={"kind": "zendesk.organization"}))[
            "entries"
        ]
        return [f"{each['kind'].rpartition('.')[2]} {each['organization_id']}" for each in entries]

    def arm(self, service: str, path: str, kind: str, **fault: Any) -> None:
        self._post("/control/faults", {"service": service, "path": path, "kind": kind, **fault})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ok(self._http.post(path, json=body))

    @staticmethod
    def _ok(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


@dataclass
class Sync:
    """The runs around one store, with rules that a test may change."""

    vendors: Vendors
    systems: Systems

    def with_rules(self, **changes: Any) -> OrganizationSync:
        return self.of(OrganizationsPolicy.model_validate({**dict(POLICY), **changes}))

    def of(self, policy: OrganizationsPolicy = POLICY, *, production: bool = False) -> OrganizationSync:
        return self.of_rules(SfdcPolicy(organizations=policy), production=production)

    def of_rules(self, rules: SfdcPolicy, *, production: bool = False) -> OrganizationSync:
        return organization_sync(
            self.vendors, rules, Overrides(), production=production, report=lambda _share, _words: None
        )

    def integrity(self, *ignored: Ignored, **changes: Any) -> Integrity:
        """The reports, with a product field."""
        rules = {**dict(POLICY), "integrity": IntegrityPolicy(product="Product__c"), **changes}
        return integrity(
            self.vendors,
            OrganizationsPolicy.model_validate(rules),
            Files(Overrides(), IgnoreList(ignored)),
            production=False,
            report=lambda _share, _words: None,
        )

    @property
    def repository(self) -> Repository:
        return Repository(self.vendors.store)

    async def rows(self, run_id: str) -> list[tuple[str, str, str]]:
        """Action, state and name of a run's rows."""
        return [(row["action"], row["state"], row["name"]) for row in await self.repository.rows_of(run_id)]


@asynccontextmanager
async def compared(store: Store, salesforce: Salesforce, outside: Outside) -> AsyncIterator[Sync]:
    """Both sides as after a reset, the first full compare done."""
    outside.reset()
    outside.disarm()
    systems = Systems(outside.base_url)
    account = zendesk_settings(outside.base_url)
    async with open_zendesk(account, ZENDESK_SCOPES, clock=SystemClock(), metrics=Metrics()) as zendesk:
        made = Sync(Vendors(store, salesforce, zendesk), systems)
        await made.of().full("full", "test")
        yield made
    systems.close()


def fields(organization: dict[str, Any], *names: str) -> Sequence[Any]:
    return [organization["organization_fields"].get(name) for name in names]
