"""From the vendor's package to sfdc-sync and back, as docs/sfdc-sync.md says it, command by command."""

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sfdc_sync.policy.sfdc import SfdcPolicy
from supportops.config.rules_file import load
from supportops.contracts import TicketSolved
from tests.integration.sfdc_sync.app import RULES, Service, settled
from tests.integration.sfdc_sync.events import told
from tests.integration.sfdc_sync.sandbox import Outside, command_environment
from tests.support.commands import run_command

PACKAGE, KEY = "Zendesk__Zendesk_Ticket__c", "Zendesk_Ticket_ID__c"
OWN_KEY = "Zendesk__Ticket_Number__c"
"""By which the package finds a ticket; its real name is the org's to know."""
SECTION = f"""\
sfdc_sync:
  ticket_record:
    object: {PACKAGE}
    external_id: {KEY}
    fields:
      {OWN_KEY}: {{source: ticket_id, max_length: 40}}
      Zendesk__Subject__c: {{source: subject, max_length: 255}}
      Zendesk__Status__c: {{source: status, type: picklist, values: {{new: New, open: Open, solved: Solved}}}}
"""


@pytest.fixture
def dialect() -> str:
    """What is shown is the same on both databases; this one costs less."""
    return "sqlite"


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(SECTION)
    return path


@pytest.fixture
def rules(rules_file: Path) -> SfdcPolicy:
    """The same for the worker in this process."""
    record = load(rules_file, "sfdc_sync", SfdcPolicy).ticket_record
    return RULES.model_copy(update={"ticket_record": record})


class Org:
    """The org of somebody who uses the package."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        names = (OWN_KEY, "Zendesk__Subject__c", "Zendesk__Status__c", "Renewal_Notes__c")
        outside.define(PACKAGE, [{"name": name} for name in names])

    def package_writes(self, ticket: str, status: str = "New") -> str:
        """As the package does: by its own field, a new record where it finds none."""
        values = {"Zendesk__Subject__c": f"Ticket {ticket}", "Zendesk__Status__c": status}
        for row in self.rows():
            if row[OWN_KEY] == ticket:
                self._outside.edit(PACKAGE, row["Id"], **values)
                return str(row["Id"])
        notes = {"Renewal_Notes__c": "call them in May"}
        (made,) = self._outside.insert(PACKAGE, {OWN_KEY: ticket, **values, **notes})
        return made

    def add_key(self) -> None:
        """Step 1: the field, filled with the number of the package's own; unique."""
        self._outside.define(PACKAGE, [{"name": KEY, "length": 40, "external_id": True, "unique": True}])
        self.fill_key()

    def fill_key(self) -> None:
        for row in self.rows():
            if row.get(KEY) is None:
                self._outside.edit(PACKAGE, row["Id"], **{KEY: row[OWN_KEY]})

    def rows(self) -> list[dict[str, Any]]:
        return self._outside.all_records(PACKAGE)


async def test_there_and_back_without_a_double_record(
    service: Service, outside: Outside, database: str, rules_file: Path
) -> None:
    environment = command_environment(outside, rules_file, database)

    async def run(*arguments: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(run_command, "sfdc_sync", *arguments, environment=environment)

    async def differences(*more: str) -> tuple[int, set[tuple[str, str]]]:
        done = await run("verify", "--since", "2m", "--json", *more)
        return done.returncode, {(row["ticket_id"], row["field"]) for row in json.loads(done.stdout)}

    outside.export_at_once()
    outside.add_webhook(endpoint="http://127.0.0.1:1/", subscriptions=["zen:event-type:ticket.created"])
    org = Org(outside)
    old, lost, late = (outside.ticket(subject="x") for _ in range(3))
    for ticket in (old, lost, late):
        outside.act(ticket, "actions", subject=f"Ticket {ticket}")
    ids = {ticket: org.package_writes(ticket) for ticket in (old, late)}

    org.add_key()
    assert (await run("check-config")).returncode == 0
    assert (await run("migrate")).returncode == 0
    found = json.loads((await run("doctor", "--json")).stdout)
    odd = [each for each in found if each["verdict"] != "ok" and each["check"] != "broker"]
    assert odd == []
    assert await differences() == (2, {(lost, "")}), (
        "the look writes nothing, and names the ticket without a record"
    )
    assert len(org.rows()) == 2

    for ticket in (old, late):  # the package wrote both as new, and is off now; of one we hear nothing
        outside.act(ticket, "solve")
    async with service.delivering():
        await service.hears(await told(service.zendesk, old, TicketSolved, solved_at="2026-11-02T09:00:00Z"))
        await settled(service.store)
        assert await differences("--repair") == (2, {(lost, ""), (late, "Zendesk__Status__c")})
        await settled(service.store)
    assert await differences() == (0, set())
    assert (await run("deliveries", "list", "--json")).stdout.strip() == "[]"
    assert "record written" in (await run("explain", lost)).stdout
    rows = {row[KEY]: row for row in org.rows()}
    assert sorted(rows) == sorted([old, lost, late])
    assert {ticket: rows[ticket]["Id"] for ticket in ids} == ids, "records keep their ids"
    assert rows[late]["Zendesk__Status__c"] == "Solved"
    assert rows[old]["Renewal_Notes__c"] == "call them in May", "what is not listed is never touched"
    _back_and_forth_again(outside, org, [old, lost, late])


def _back_and_forth_again(outside: Outside, org: Org, tickets: list[str]) -> None:
    """The package finds our records, too, and the field is filled in those that it makes."""
    for ticket in tickets:
        org.package_writes(ticket, "Solved")
    newest = outside.ticket(subject="x")
    org.package_writes(newest)
    org.fill_key()
    assert sorted(row[KEY] for row in org.rows()) == sorted([*tickets, newest])
