"""Injected faults over real connections: what the client sees, and whether the work was done."""

import threading
import time

import httpx
import pytest

from sandbox.clients import tls
from sandbox.faults import FaultBook, fault_of
from tests.contract.sandbox.fakes import FakeClock
from tests.support.eventually import eventually_now
from tests.support.sandbox import INTEGRATION_LOGIN, SLACK_LOGIN, SandboxProcess


def say(sandbox: SandboxProcess, text: str = "x") -> httpx.Response:
    body = {"channel": "C0CSAT", "text": text}
    return sandbox.http.post("/slack/api/chat.postMessage", json=body, headers=SLACK_LOGIN)


def arm(sandbox: SandboxProcess, **fault: object) -> int:
    """`path` cannot be a keyword of `post`, which has one itself."""
    answer = sandbox.http.post("/control/faults", json=fault)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["fault"]["id"])


def said(sandbox: SandboxProcess) -> int:
    return len(sandbox.ledger("slack.message"))


def test_rate_limit_then_on(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="429", retry_after=7, count=1)
    limited = say(sandbox)
    assert (limited.status_code, limited.headers["retry-after"], limited.json()["ok"]) == (429, "7", False)
    assert say(sandbox).json()["ok"]
    assert said(sandbox) == 1


def test_drop_before_and_after_the_commit(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="drop", count=1)
    with pytest.raises(httpx.TransportError):
        say(sandbox)
    assert said(sandbox) == 0
    arm(sandbox, service="slack", kind="drop_after_commit", count=1)
    with pytest.raises(httpx.TransportError):
        say(sandbox)
    assert said(sandbox) == 1


def test_hang_ends_with_a_closed_connection(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="hang", delay=0.2, count=1)
    with pytest.raises(httpx.TransportError):
        say(sandbox)
    arm(sandbox, service="slack", kind="hang", delay=30, count=1)
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.Client(base_url=sandbox.url, timeout=0.2, verify=tls()) as impatient,
    ):
        impatient.post("/slack/api/auth.test", headers=SLACK_LOGIN)
    assert said(sandbox) == 0


def test_slow_answers_after_all(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="slow", delay=0.3, count=1)
    before = time.monotonic()
    assert say(sandbox).json()["ok"]
    assert time.monotonic() - before >= 0.3


def test_codes_come_in_the_vendors_shape(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="error", code="internal_error", count=1, after_commit=True)
    answer = say(sandbox)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": "internal_error"})
    assert said(sandbox) == 1
    arm(sandbox, service="zendesk", kind="502", count=1)
    broken = sandbox.http.get("/zendesk/api/v2/groups", auth=INTEGRATION_LOGIN)
    assert (broken.status_code, broken.headers["content-type"]) == (502, "text/html")


def test_paths_methods_and_clearing(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="zendesk", path="/zendesk/api/v2/tickets/*/tags", method="PUT", kind="503")
    key = sandbox.post("zendesk/tickets", subject="x")["ticket"]["id"]
    url = f"/zendesk/api/v2/tickets/{key}/tags"
    assert sandbox.http.get(url, auth=INTEGRATION_LOGIN).status_code == 200
    assert sandbox.http.put(url, json={"tags": ["a"]}, auth=INTEGRATION_LOGIN).status_code == 503
    (armed,) = sandbox.get("faults")["faults"]
    assert armed["hits"] == 1
    assert sandbox.http.delete(f"/control/faults/{armed['id']}").status_code == 204
    assert sandbox.http.put(url, json={"tags": ["a"]}, auth=INTEGRATION_LOGIN).status_code == 200


def test_faults_end_by_time_and_share(fake_clock: FakeClock) -> None:
    book = FaultBook(fake_clock)
    book.arm(fault_of({"kind": "503", "seconds": 10}))
    assert book.take("slack", "/slack/api/x", "POST") is not None
    fake_clock.advance(10)
    assert book.take("slack", "/slack/api/x", "POST") is None
    book.arm(fault_of({"kind": "503", "share": 0.5}))
    met = [book.take("slack", "/x", "POST") for _ in range(100)]
    assert 20 < sum(fault is not None for fault in met) < 80


@pytest.mark.parametrize("fault", [{"kind": "nonsense"}, {"kind": "503", "wrong": 1}, {}])
def test_unknown_faults_are_refused(sandbox: SandboxProcess, fault: dict[str, object]) -> None:
    answer = sandbox.http.post("/control/faults", json=fault)
    assert (answer.status_code, "known" in answer.json()["error"]) == (400, True)


def test_control_answers_while_requests_hang(sandbox: SandboxProcess) -> None:
    arm(sandbox, service="slack", kind="hang", delay=5)
    hanging = threading.Thread(target=_swallowed, args=(sandbox,))
    hanging.start()
    eventually_now(lambda: sandbox.get("faults")["faults"][0]["hits"] == 1)
    assert sandbox.get("summary")["slack_messages"] == 0
    sandbox.http.delete("/control/faults")
    hanging.join(10)
    assert not hanging.is_alive()


def _swallowed(sandbox: SandboxProcess) -> None:
    with (
        pytest.raises(httpx.TransportError),
        httpx.Client(base_url=sandbox.url, timeout=1, verify=tls()) as client,
    ):
        client.post("/slack/api/auth.test", headers=SLACK_LOGIN)
