"""`notifier explain` and `notifier doctor`, against the sandbox."""

from datetime import UTC, datetime

import pytest

from notifier.destinations import POSTS
from notifier.operations.doctor import checks
from notifier.operations.explain import explain_ticket
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import Settings
from supportops.operations.checks import Finding, examine
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


async def test_a_tickets_messages_and_calls_are_told(service: Service, outside: Outside) -> None:
    ticket = outside.create(form="Self-Managed", subject="Confidential")
    await service.after(created(ticket, datetime.now(UTC)))
    async with service.store.reading() as conn:
        told = await explain_ticket(conn, str(ticket["id"]), datetime.now(UTC), False)
        stranger = await explain_ticket(conn, "99999", datetime.now(UTC), False)
    assert (told.known, stranger.known) == (True, False)
    assert f"posted in {SELF_MANAGED}" in told.standing["messages"]
    assert f"call {POSTS}" in [line.what for line in told.lines]
    assert [call["state"] for call in told.document["deliveries"] if call["destination"] == POSTS] == ["done"]
    assert "Confidential" not in str(told)


async def look(settings: Settings) -> dict[str, Finding]:
    async with checks(settings, RULES) as own:
        return {found.check: found for found in await examine(own, settings.secrets())}


async def test_the_doctor_looks_at_the_token_and_each_channel(settings: Settings) -> None:
    found = await look(settings)
    named = {name for name in found if name.startswith("slack channel ")}
    assert {each.verdict for name, each in found.items() if name not in named} == {"ok"}, found
    assert found["slack token"].detail == "as supportbot in Sandbox"
    assert "write its id C0SELFMANAGED instead" in found[f"slack channel {SELF_MANAGED}"].detail
    assert found["sibling automations"].detail.startswith("none of 0")


@pytest.mark.parametrize(
    ("flags", "verdict", "words"),
    [
        ({"private": True}, "ok", "the bot is in it and may read (private)"),
        ({}, "failed", "marked for what is confidential, and the channel is public"),
        ({"private": True, "ext_shared": True}, "failed", "people of another company"),
        ({"private": True, "archived": True}, "failed", "archived"),
        ({"private": True, "member": False}, "failed", "channel_not_found"),
    ],
)
async def test_the_doctor_says_who_reads_a_channel(
    settings: Settings, outside: Outside, flags: dict[str, bool], verdict: str, words: str
) -> None:
    outside.make_channel("C0MANAGERS", **flags)
    feeds = [{"name": "m", "channel": "C0MANAGERS", "private_comments": True}]
    async with checks(settings, NotifierPolicy.model_validate({"feeds": feeds})) as own:
        found = {each.check: each for each in await examine(own, settings.secrets())}
    finding = found["slack channel C0MANAGERS"]
    assert (finding.verdict, words in finding.detail) == (verdict, True), finding


async def test_a_refused_token_has_a_remedy_and_is_not_shown(settings: Settings, outside: Outside) -> None:
    outside.arm("error", path="auth.test", code="invalid_auth", count=5)
    found = await look(settings)
    assert found["slack token"].verdict == "failed"
    assert "invalid_auth" in found["slack token"].detail
    assert "SLACK_TOKEN" in found["slack token"].remedy
