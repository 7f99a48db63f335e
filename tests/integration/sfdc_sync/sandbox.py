"""The sandbox as these tests use it: a real process, its control API, and what Salesforce holds."""

from pathlib import Path
from typing import Any

from tests.support.processes import clean_environment
from tests.support.sandbox import ZENDESK_CLIENT, SandboxControl

TICKETS = "Zendesk_Ticket__c"
RITA, GROABLET, GROABLET_ACCOUNT = "8447388090601", "8447346622462", "001D000000IqhSLIAZ"


def command_environment(outside: "Outside", rules_file: Path, database_url: str) -> dict[str, str]:
    """What a command of sfdc-sync needs to know, and nothing of the developer's own."""
    return clean_environment(
        {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "ZENDESK_BASE_URL": f"{outside.base_url}/zendesk",
            **ZENDESK_CLIENT,
            "SALESFORCE_SANDBOX_URL": f"{outside.base_url}/salesforce",
            "SALESFORCE_CLIENT_ID": "sandbox-client",
            "SALESFORCE_CLIENT_SECRET": "sandbox-secret",
            "CONFIG_FILE": str(rules_file),
        }
    )


class Outside(SandboxControl):
    """Controls and reads one sandbox."""

    def reset(self) -> None:
        self._post("/reset", {})
        self.limit(daily=100_000)

    def arm(self, kind: str, **fault: Any) -> None:
        """One of the bad days of the sandbox's fault book; Salesforce's collections call by default."""
        self._post("/faults", {"service": "salesforce", "path": "composite", "kind": kind, **fault})

    def limit(self, *, daily: int) -> None:
        self._post("/limits", {"salesforce": {"daily": daily}})

    def page(self, size: int) -> None:
        """Rows in one answer of Salesforce."""
        self._post("/limits", {"salesforce": {"page_size": size}})

    def export_at_once(self) -> None:
        """Zendesk's export leaves out nothing of the newest past."""
        self._post("/limits", {"zendesk": {"export_lag": 0}})

    def expire_sessions(self) -> None:
        self._post("/salesforce/expire", {})

    def define(self, name: str, fields: list[dict[str, Any]]) -> None:
        """Fields that an administrator of Salesforce adds to an object."""
        self._post("/salesforce/objects", {"name": name, "fields": fields})

    def insert(self, name: str, *records: dict[str, Any]) -> list[str]:
        """Records made in Salesforce by other hands; their ids."""
        ids: list[str] = self._post("/salesforce/records", {"object": name, "records": list(records)})["ids"]
        return ids

    def rights(self, **changes: Any) -> None:
        """Of the integration user in Salesforce; what is not named stays."""
        self._post("/salesforce/rights", changes)

    def remove(self, name: str, record_id: str) -> None:
        """What a person deletes in Salesforce."""
        self._post("/salesforce/delete", {"object": name, "id": record_id})

    def edit(self, name: str, record_id: str, **fields: Any) -> None:
        """What a person changes in Salesforce."""
        answer = self._http.patch(
            "/salesforce/records", json={"object": name, "id": record_id, "fields": fields}
        )
        assert answer.status_code < 300, answer.text

    def integration_user(self, **changes: Any) -> None:
        """Of whoever calls Zendesk's REST: `role`, `custom_role_id`, …"""
        self._post("/zendesk/integration_user", changes)

    def custom_role(self, key: int, **configuration: Any) -> None:
        """The one role that administrators of Zendesk have made."""
        role = {"id": key, "name": "Robot", "configuration": configuration}
        self._post("/zendesk/custom_roles", {"roles": [role]})

    def add_webhook(self, **values: Any) -> None:
        self._post("/zendesk/webhooks", values)

    def ticket(self, **values: Any) -> str:
        """A ticket made in Zendesk; its id."""
        return str(self._post("/zendesk/tickets", values)["ticket"]["id"])

    def act(self, ticket_id: str, what: str, **values: Any) -> None:
        """What somebody does to it: `actions`, `solve`, `delete`, …"""
        self._post(f"/zendesk/tickets/{ticket_id}/{what}", values)

    def add_user(self, **values: Any) -> str:
        answer = self._post("/zendesk/users", values)
        return str(answer["user"]["id"])

    def add_organization(self, **values: Any) -> str:
        answer = self._post("/zendesk/organizations", values)
        return str(answer["organization"]["id"])

    def records(self) -> dict[str, dict[str, Any]]:
        """The ticket records by ticket id; two records of one ticket would fail here."""
        rows = self._get(f"/salesforce/records/{TICKETS}")["records"]
        found = {row["Zendesk_Ticket_ID__c"]: row for row in rows}
        assert len(found) == len(rows), "two records of one ticket"
        return found

    def all_records(self, name: str) -> list[dict[str, Any]]:
        """The records of an object that are not in the recycle bin."""
        rows: list[dict[str, Any]] = self._get(f"/salesforce/records/{name}")["records"]
        return rows

    def writes(self) -> list[dict[str, Any]]:
        """Every write of a client, oldest first."""
        entries: list[dict[str, Any]] = self._get("/ledger?kind=salesforce.record")["entries"]
        return entries

    def calls(self) -> int:
        """Requests that counted against the daily limit since the reset."""
        return int(self._get("/summary")["salesforce_requests"])

    def faults_met(self) -> int:
        return sum(int(fault["hits"]) for fault in self._get("/faults")["faults"])
