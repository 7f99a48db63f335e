"""The command line and the migrations, against real databases and the sandbox."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, select

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.tables import metadata
from supportops.config.rules_file import load
from supportops.store.migrate import downgrade, upgrade
from tests.integration.sfdc_sync.sandbox import GROABLET_ACCOUNT, TICKETS, Outside, command_environment
from tests.support.commands import run_command
from tests.support.databases import on_the_side
from tests.support.for_each import for_each

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(outside: Outside, rules_file: Path, tmp_path: Path) -> dict[str, str]:
    """What sfdc-sync needs to know, and nothing of the developer's own."""
    return command_environment(outside, rules_file, f"sqlite:///{tmp_path / 'sfdc.db'}")


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`sfdc-sync ARGUMENTS` as a process."""
    return run_command("sfdc_sync", *arguments, environment=environment)


def findings_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    """What the doctor found, but for the broker: there is none here."""
    return [found for found in json.loads(done.stdout) if found["check"] != "broker"]


def test_the_doctor_is_content_with_the_sandbox(environment: dict[str, str], outside: Outside) -> None:
    outside.add_webhook(endpoint="http://127.0.0.1:1/", subscriptions=["zen:event-type:ticket.created"])
    run(environment, "migrate")
    done = run(environment, "doctor", "--json")
    findings = findings_of(done)
    assert {finding["verdict"] for finding in findings} == {"ok"}, done.stdout + done.stderr
    assert {"database", "migrations", "zendesk login", "login"} <= {found["check"] for found in findings}
    assert {"org", "clock: salesforce", "clock: zendesk", "zendesk role", "zendesk webhooks"} <= {
        found["check"] for found in findings
    }
    assert {"field Account.Owner.Email", "field Contact.Email", "organization field salesforce_id"} <= {
        found["check"] for found in findings
    }


def test_the_doctor_names_what_matching_may_not_read(environment: dict[str, str], outside: Outside) -> None:
    outside.rights(hidden=["Account.Technical_Account_Manager__c", "Contact.Email"], view_setup=False)
    run(environment, "migrate")
    findings = {found["check"]: found for found in findings_of(run(environment, "doctor", "--json"))}
    failed = {name for name, found in findings.items() if found["verdict"] == "failed"}
    people = {f"field Account.Technical_Account_Manager__r.{name}" for name in ("Name", "Email")}
    assert failed == {"field Contact.Email", *people}
    assert findings["daily requests"]["verdict"] == "skipped", "seeing limits is a right of its own"


def test_the_doctor_names_what_a_role_of_our_own_may_not_write(
    environment: dict[str, str], outside: Outside
) -> None:
    outside.reset()
    run(environment, "migrate")
    outside.integration_user(role="agent", custom_role_id=7)

    def rights() -> list[tuple[str, str]]:
        found = findings_of(run(environment, "doctor", "--json"))
        return [(each["verdict"], each["detail"]) for each in found if each["check"] == "zendesk rights"]

    try:
        ((verdict, told),) = rights()
        assert (verdict, "role 7 cannot be read" in told) == ("skipped", True), "there is no such role"
        outside.custom_role(7, organization_editing=False, end_user_profile_access="readonly")
        assert rights() == [
            ("warning", "Robot may not edit organizations"),
            ("warning", "Robot has access readonly to end users: their ticket_restriction cannot be set"),
        ]
        outside.custom_role(7, organization_editing=True, end_user_profile_access="full")
        assert rights() == [("ok", "Robot writes organizations and users")]
    finally:
        outside.reset()


def test_verify_fails_where_it_cannot_compare(environment: dict[str, str], outside: Outside) -> None:
    """Half a comparison proves nothing: exit code 1, which is not that of differences."""
    outside.export_at_once()
    run(environment, "migrate")
    outside.ticket(subject="Nobody told us")
    outside.rights(hidden=["Zendesk_Ticket__c.Subject__c"])
    refused = run(environment, "verify", "--since", "1m")
    assert (refused.returncode, "Subject__c" in refused.stderr) == (1, True), refused.stderr
    outside.arm("error", service="zendesk", path="incremental", status=403, count=9)
    assert run(environment, "verify").returncode == 1


def test_the_doctor_names_a_broker_and_a_migration_that_are_missing(environment: dict[str, str]) -> None:
    done = run(environment, "doctor", "--json")
    failed = {f["check"]: f["remedy"] for f in json.loads(done.stdout) if f["verdict"] == "failed"}
    assert (done.returncode, set(failed)) == (1, {"broker", "migrations", "destinations"})
    assert all(failed.values())


def test_the_doctor_names_what_is_missing(environment: dict[str, str], rules_file: Path) -> None:
    rules_file.write_text(
        "sfdc_sync: {ticket_record: {object: Account, external_id: Name, fields: {Nope__c: {source: subject}}}}\n"
    )
    run(environment, "migrate")
    done = run(environment, "doctor", "--json")
    failed = {f["check"]: f["detail"] for f in findings_of(done) if f["verdict"] == "failed"}
    assert done.returncode == 1
    assert set(failed) == {"external id Name", "field Nope__c"}


def test_the_doctor_tells_a_refused_login_without_the_secret(environment: dict[str, str]) -> None:
    done = run(environment | {"SALESFORCE_CLIENT_SECRET": "wrong-one"}, "doctor", "--json")
    (login,) = [found for found in findings_of(done) if found["check"] == "login"]
    assert (login["check"], login["verdict"], done.returncode) == ("login", "failed", 1)
    assert "invalid_client" in login["detail"]
    assert "SALESFORCE_CLIENT_SECRET" in login["detail"]
    assert "wrong-one" not in done.stdout + done.stderr


def test_missing_settings_are_one_message(environment: dict[str, str]) -> None:
    del environment["SALESFORCE_CLIENT_ID"], environment["SALESFORCE_SANDBOX_URL"]
    done = run(environment, "work")
    assert done.returncode == 2
    assert "SALESFORCE_CLIENT_ID" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrating_twice_is_fine(environment: dict[str, str]) -> None:
    assert [run(environment, "migrate").returncode for _ in range(2)] == [0, 0]


def test_rewriting_a_ticket_that_is_not_known_fails(environment: dict[str, str]) -> None:
    run(environment, "migrate")
    assert run(environment, "rewrite", "404").returncode == 1
    assert run(environment, "rewrite", "--given-up", "--json").stdout == "[]\n"


@pytest.mark.both_databases
def test_the_history_goes_up_and_down(new_database: Callable[[str], str]) -> None:
    url = new_database("")
    upgrade(url, "sfdc_sync")
    assert set(metadata.tables) <= _tables(url)
    downgrade(url, "sfdc_sync", "base")
    assert _tables(url) <= {"alembic_version"}
    upgrade(url, "sfdc_sync")


def _tables(url: str) -> set[str]:
    """Names of the tables there are."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
        names = set(inspect(engine).get_table_names())
        engine.dispose()
        return names
    return set(on_the_side(lambda: _postgres_tables(url)))


def _postgres_tables(url: str) -> list[str]:
    import asyncio

    import asyncpg

    async def read() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        finally:
            await connection.close()
        return [row["tablename"] for row in rows]

    return asyncio.run(read())


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    shipped = load(ROOT / "config" / "supportops.yaml", "sfdc_sync", SfdcPolicy)
    assert shipped == SfdcPolicy()
    assert shipped.ticket_record.object == TICKETS
    assert load(ROOT / "config" / "demo.yaml", "sfdc_sync", SfdcPolicy).batch == 200


def test_a_plan_is_written_applied_looked_at_and_checked(
    environment: dict[str, str], outside: Outside, tmp_path: Path
) -> None:
    """`sync` and `check` from the first look to nothing left to do, by their exit codes."""
    outside.reset()
    run(environment, "migrate")
    plan = str(tmp_path / "plan.json")
    first = run(environment, "sync", "--plan", plan, "--json")
    assert (first.returncode, json.loads(first.stdout)["update"]) == (2, 2), first.stderr
    applied = run(environment, "sync", "--apply", plan, "--json")
    assert (applied.returncode, json.loads(applied.stdout)["done"]) == (0, 2), applied.stderr
    assert run(environment, "sync", "--plan", plan).returncode == 0, "nothing left to do"
    runs = json.loads(run(environment, "sync", "runs", "--json").stdout)
    assert [each["kind"] for each in runs] == ["plan", "apply", "plan"]
    rows = run(environment, "sync", "rows", GROABLET_ACCOUNT, "--json")
    assert {each["state"] for each in json.loads(rows.stdout)} == {"planned", "done"}
    assert run(environment, "sync", "marked", "--json").stdout.strip() == "[]"
    checked = run(environment, "check", "no_salesforce_id", "--format", "json")
    assert (checked.returncode, [each["name"] for each in json.loads(checked.stdout)]) == (2, ["GitLab"])
    assert "missing_zendesk_org_dotcom: not judged" in checked.stderr
    undone = run(environment, "sync", "undo", runs[1]["run_id"], "--json")
    assert (undone.returncode, json.loads(undone.stdout)["done"]) == (0, 2), undone.stderr


@for_each(
    "arguments, told",
    [
        (["sync"], "give one of --full"),
        (["sync", "--full", "--plan", "x"], "give one of --full"),
        (["sync", "--apply", "/nowhere"], "No such file"),
        (["sync", "release-brake", "--reason", "x"], "say why"),
        (["sync", "--plan", "/nowhere/plan.json"], "there is no folder /nowhere"),
        (["sync", "--plan", "/"], "is a folder"),
        (["sync", "--apply", "/dev/null"], "or not a whole one: make a new one"),
        (["sync", "runs", "--limit", "0"], "--limit"),
        (["sync", "rows", "x", "--state", "exploded"], "one of planned, done"),
        (["verify", "--since", "yesterday"], "yesterday"),
        (["verify", "--since", "2099-01-01T00:00"], "has not come yet"),
        (["verify", "--since", "99999d"], "before 2000"),
        (["check", "nothing"], "no such report"),
        (["check", "--format", "xml"], "text, json or csv"),
    ],
)
def test_what_makes_no_sense_is_said(environment: dict[str, str], arguments: list[str], told: str) -> None:
    done = run(environment, *arguments)
    assert (done.returncode, told in done.stderr.replace("\n", " ")) == (2, True), done.stderr


def test_which_org_was_read_is_forgotten_by_sync_pin_once_it_is_confirmed(
    environment: dict[str, str],
) -> None:
    run(environment, "migrate")
    assert run(environment, "sync", "--full").returncode == 0
    database = create_engine(environment["DATABASE_URL"])

    def pinned() -> list[str]:
        with database.connect() as conn:
            return list(conn.execute(select(metadata.tables["sync_environment"].c.name)).scalars())

    try:
        assert pinned() == ["salesforce"]
        assert run(environment, "sync", "pin").returncode != 0, "nobody has said yes"
        assert pinned() == ["salesforce"]
        assert run(environment, "sync", "pin", "--yes").returncode == 0
        assert pinned() == []
    finally:
        database.dispose()
