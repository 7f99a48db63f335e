"""`csat doctor` as a process: content with the sandbox, and naming what is broken, one thing at a time."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.clients import tls
from tests.integration.csat.sandbox import Outside
from tests.integration.csat.test_csat_explain import ENVIRONMENT
from tests.support.commands import run_command
from tests.support.sandbox import ZENDESK_CLIENT

pytestmark = pytest.mark.usefixtures("outside")  # a sandbox without a past
RULES = "csat: {feedback: {project: support/feedback}, numbers: {region: {tags: {emea: EMEA}}}}\n"
Findings = dict[str, dict[str, str]]
Doctor = Callable[..., tuple[int, Findings, str]]


class PageHandler(BaseHTTPRequestHandler):
    """A server that answers as our page does, or not quite."""

    status, policy, date = 400, "default-src 'none'", ""

    def do_GET(self) -> None:
        self.send_response_only(self.status)
        self.send_header("Date", self.date or self.date_time_string())
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def handler() -> type[PageHandler]:
    return type("Handler", (PageHandler,), {})


@pytest.fixture
def page_url(handler: type[PageHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def doctor(
    sandbox_url: str,
    page_url: str,
    kafka_address: str,
    new_database: Callable[[str], str],
    tmp_path: Path,
) -> Doctor:
    """`csat doctor --json` with this environment changed: exit code, findings by check, all that was printed."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    usual = ENVIRONMENT | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_address,
        "DATABASE_URL": new_database("csat"),
        "ZENDESK_BASE_URL": f"{sandbox_url}/zendesk",
        **ZENDESK_CLIENT,
        "GITLAB_BASE_URL": f"{sandbox_url}/gitlab",
        "GITLAB_TOKEN": "glpat-sandbox",
        "CSAT_BASE_URL": page_url,
        "CONFIG_FILE": str(rules),
    }

    def run(text: str = RULES, **changes: str) -> tuple[int, Findings, str]:
        rules.write_text(text)
        done = run_command("csat", "doctor", "--json", environment=usual | changes)
        assert done.stdout, done.stderr
        findings = {found["check"]: found for found in json.loads(done.stdout)}
        return done.returncode, findings, done.stdout + done.stderr

    return run


def failed(findings: Findings) -> set[str]:
    return {name for name, found in findings.items() if found["verdict"] == "failed"}


async def test_it_is_content_with_the_sandbox(doctor: Doctor) -> None:
    code, findings, _ = doctor()
    assert failed(findings) == set(), findings
    assert code == 0
    assert findings["migrations"]["verdict"] == findings["gitlab labels"]["verdict"] == "ok"
    assert findings["survey page"]["detail"].endswith("as seen from this machine")
    assert findings["survey address"]["verdict"] == "warning"  # it is this machine's own


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "value", "checks", "words"),
    [
        ("ZENDESK_CLIENT_SECRET", "a-wrong-token-of-ours", {"zendesk login"}, "ZENDESK_CLIENT_SECRET"),
        ("GITLAB_TOKEN", "a-wrong-token-of-ours", {"gitlab"}, "401"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", {"broker"}, "does not answer"),
        (
            "DATABASE_URL",
            "postgresql://x:a-wrong-token-of-ours@127.0.0.1:1/csat",
            {"database"},
            "does not answer",
        ),
        ("CSAT_BASE_URL", "http://127.0.0.1:1", {"survey page"}, "no connection"),
        ("CSAT_BASE_URL", "http://no-such-host.invalid", {"survey page", "survey address"}, ""),
    ],
)
async def test_each_broken_thing_is_named_without_its_secret(
    doctor: Doctor, name: str, value: str, checks: set[str], words: str
) -> None:
    code, findings, printed = doctor(**{name: value})
    assert code == 1
    assert checks <= failed(findings)
    assert all(words in findings[check]["detail"] for check in checks)
    assert "a-wrong-token-of-ours" not in printed
    assert findings["migrations" if name != "DATABASE_URL" else "zendesk login"]["verdict"] in (
        "ok",
        "failed",
    )


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": 404}, "answered with 404"),
        ({"policy": ""}, "not by our page"),
    ],
)
async def test_a_page_that_is_not_ours_is_told(
    doctor: Doctor, handler: type[PageHandler], changes: dict[str, Any], words: str
) -> None:
    for name, value in changes.items():
        setattr(handler, name, value)
    _, findings, _ = doctor()
    assert (findings["survey page"]["verdict"], words in findings["survey page"]["detail"]) == (
        "failed",
        True,
    )


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_skewed_clock_is_told(doctor: Doctor, handler: type[PageHandler]) -> None:
    handler.date = "Mon, 02 Nov 2020 12:00:00 GMT"
    _, findings, _ = doctor()
    assert findings["clock: survey page"]["verdict"] == "failed"
    assert findings["clock: zendesk"]["verdict"] == "ok"


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_vendors_own_survey_and_narrow_rights_are_told(doctor: Doctor, outside: Outside) -> None:
    asking = {"title": "Ask", "actions": [{"field": "satisfaction_score", "value": "offered"}]}
    await outside.post("/zendesk/business_rules", automations=[asking | {"active": False}, asking])
    await outside.post("/zendesk/integration_user", ticket_restriction="groups")
    code, findings, _ = doctor()
    assert code == 1
    assert failed(findings) == {"other surveys", "zendesk rights"}
    assert findings["other surveys"]["detail"] == 'still active: "Ask"'


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_names_that_do_not_exist_are_told(doctor: Doctor) -> None:
    text = (
        "csat: {excluded_organizations: [gitlab], numbers: {plan: {ticket_field: '1'}, region: "
        "{organization_field: nope}}, feedback: {project: support/none, forms: [{contains: Nope, label: x}]}}\n"
    )
    _, findings, _ = doctor(text)
    assert {"plan of the numbers", "region of the numbers", "gitlab"} <= failed(findings)
    assert findings["forms"]["detail"] == "no form's name contains Nope"
    assert findings["excluded organization gitlab"]["verdict"] == "warning"


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_token_that_may_not_label_is_told(doctor: Doctor, sandbox_url: str) -> None:
    async with httpx.AsyncClient(base_url=sandbox_url, verify=tls()) as control:
        await control.post("/control/limits", json={"gitlab": {"admin_issue": False}})
        _, findings, _ = doctor()
        await control.post("/control/limits", json={"gitlab": {"admin_issue": True}})
    assert failed(findings) == {"gitlab labels"}
    assert "their labels dropped" in findings["gitlab labels"]["detail"]
