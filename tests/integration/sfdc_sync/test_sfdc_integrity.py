"""The integrity reports against both stand-ins: a finding appears, is mended by its command, and goes."""

from datetime import date

import orjson
import pytest
from sqlalchemy import select

from sfdc_sync.integrity.checks import Checked
from sfdc_sync.integrity.findings import Findings
from sfdc_sync.operations.integrity_commands import as_csv, repair_of
from sfdc_sync.organizations.salesforce_side import Unreadable
from sfdc_sync.policy.ignored import Ignored
from supportops.store.tables import ENGINE
from tests.integration.sfdc_sync.sync_app import ACME, ACME_ORG, GITLAB_ORG, GROABLET_ORG, Sync, fields


def figures(checked: Checked, name: str) -> tuple[int, int, int]:
    """New, fixed and open of a report."""
    (report,) = (each for each in checked.reports if each.name == name)
    return report.new, report.fixed, report.open


async def test_a_finding_appears_is_mended_by_its_command_alone_and_goes(sync: Sync) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold", Market_Segment__c="Large")
    first = await sync.integrity().run()
    assert figures(first, "support_level_mismatch") == (1, 0, 1)
    assert figures(await sync.integrity().run(), "support_level_mismatch") == (0, 0, 1)
    findings = Findings(sync.vendors.store)
    row = await findings.one("support_level_mismatch", ACME_ORG)
    assert row is not None
    assert (row["salesforce_value"], row["zendesk_value"]) == ("gold", "premium")
    await sync.of().repair(repair_of(row, "support_level"), "test")
    acme = sync.systems.organization(ACME_ORG)
    assert fields(acme, "support_level", "market_segment") == ["gold", None], "the plan, and nothing else"
    assert figures(await sync.integrity().run(), "support_level_mismatch") == (0, 1, 0)
    (gone,) = await findings.listed("support_level_mismatch", gone=True)
    assert gone["gone_since"] > gone["first_seen"]
    sync.systems.edit_account(ACME, Support_Level__c="Silver")
    assert figures(await sync.integrity().run(), "support_level_mismatch") == (1, 0, 1), (
        "back again is new again"
    )


async def test_a_missing_organization_is_made_by_its_command_and_a_name_is_put_right(sync: Sync) -> None:
    missing = sync.systems.account("Missing", Product__c="GitLab.com")
    sync.systems.edit_organization(GROABLET_ORG, name="Groablet (old)")
    await sync.integrity().run()
    findings = Findings(sync.vendors.store)
    for report, key in (("missing_zendesk_org_dotcom", missing), ("org_name_mismatch", GROABLET_ORG)):
        row = await findings.one(report, key)
        assert row is not None
        assert row["remedy"] == f"sfdc-sync check --repair {report}:{key}"
        await sync.of().repair(repair_of(row, "support_level"), "test")
    assert len(sync.systems.by_external_id(missing)) == 1
    assert sync.systems.organization(GROABLET_ORG)["name"] == "Groablet Enterprises"
    again = await sync.integrity().run()
    assert [figures(again, name)[1:] for name in ("missing_zendesk_org_dotcom", "org_name_mismatch")] == [
        (1, 0),
        (1, 0),
    ]


async def test_each_run_is_told_once_with_its_figures(sync: Sync) -> None:
    checked = await sync.integrity(
        Ignored(report="no_salesforce_id", about=GITLAB_ORG, reason="ours", until=date.max)
    ).run()
    async with sync.vendors.store.reading() as conn:
        rows = (await conn.execute(select(ENGINE.outbox))).all()
    (event,) = [orjson.loads(row.value) for row in rows if row.topic == "salesforce.integrity"]
    assert event["run_id"] == checked.run_id
    told = {each["name"]: each for each in event["reports"]}
    assert (told["no_salesforce_id"]["open"], told["no_salesforce_id"]["ignored"]) == (0, 1)
    assert told["no_support_level"]["open"] == 1
    assert (event["accounts"], event["organizations"], event["not_judged"]) == (2, 3, [])


async def test_what_cannot_be_read_fixes_nothing_and_tells_nobody(sync: Sync) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    await sync.integrity().run()
    sync.systems.salesforce("rights", hidden=["Account.Support_Level__c"])
    with pytest.raises(Unreadable):
        await sync.integrity().run()
    findings = Findings(sync.vendors.store)
    assert await findings.one("support_level_mismatch", ACME_ORG) is not None
    assert [run["state"] for run in await findings.runs(5)] == ["failed", "done"]


async def test_a_spreadsheet_takes_no_value_for_a_formula(sync: Sync) -> None:
    sync.systems.edit_organization(GITLAB_ORG, name="=HYPERLINK(1)")
    await sync.integrity().run()
    lines = as_csv(await Findings(sync.vendors.store).listed("no_salesforce_id")).splitlines()
    assert lines[0].startswith("report,severity,finding,name")
    assert "'=HYPERLINK(1)" in lines[1]
