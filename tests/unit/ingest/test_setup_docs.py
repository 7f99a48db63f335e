"""docs/setup/zendesk.md says what the code does: events to tick, scopes, address, settings."""

import re

from csat.settings import ZENDESK_SCOPES as OF_CSAT
from ingest.webhooks import native
from notifier.settings import ZENDESK_SCOPES as OF_NOTIFIER
from sfdc_sync.settings import ZENDESK_SCOPES as OF_SFDC_SYNC
from tests.architecture.tree import ROOT
from tests.support import env_example

PAGE = (ROOT / "docs/setup/zendesk.md").read_text()


def test_the_events_to_tick_are_those_that_ingest_reads() -> None:
    tables = {name: table for name, table in vars(native).items() if name.endswith("_TYPES")}
    ours = {name.removesuffix("_TYPES").lower(): set(table) for name, table in tables.items()}
    listed = PAGE.partition("<!-- events -->")[2].partition("<!-- /events -->")[0]
    rows = re.findall(r"^\| ([a-z]+) \| (`.+`) \|$", listed, re.MULTILINE)
    assert {domain: set(re.findall(r"`([a-z_]+)`", events)) for domain, events in rows} == ours


def test_the_scopes_are_those_that_the_services_ask_for() -> None:
    asked = {"csat": OF_CSAT, "sfdc-sync": OF_SFDC_SYNC, "notifier": OF_NOTIFIER}
    for service, scopes in asked.items():
        row = re.search(rf"^\| {service} \| (.+?) \|", PAGE, re.MULTILINE)
        assert row is not None, service
        assert tuple(re.findall(r"`([a-z:]+)`", row[1])) == scopes


def test_the_page_names_the_address_and_every_variable_of_zendesk() -> None:
    assert "/webhooks/zendesk`" in PAGE
    marked = {
        name
        for name in env_example.REQUIRED
        if name.startswith(("ZENDESK_", "INGEST_")) and "DATABASE" not in name
    }
    in_env = {name for name in marked if name.lower() not in env_example.SECRET_FILES}
    assert {name for name in in_env if f"{name}=" not in PAGE} == set()
    assert {name for name in marked - in_env if f"secrets/{name.lower()}`" not in PAGE} == set()


def test_every_page_that_a_setting_or_message_names_is_there() -> None:
    text = "".join(path.read_text() for path in ROOT.glob("s*/**/src/**/*.py")) + env_example.FILE.read_text()
    named = set(re.findall(r"docs/[a-z_/-]+\.md", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
