"""The sandbox as a process: the sender over real connections, bursts, what was expected, reset, page and speed."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.eventually import eventually_now
from tests.support.forks import ForkedChild
from tests.support.sandbox import INTEGRATION_LOGIN, SandboxProcess

SECRET = b"sandbox-webhook-secret"


@dataclass
class Receiver:
    """A plain HTTP server: keeps every body with whether its signature was right."""

    url: str = ""
    bodies: list[tuple[bool, bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    seen = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            stamp = self.headers["X-Zendesk-Webhook-Signature-Timestamp"].encode()
            digest = base64.b64encode(hmac.digest(SECRET, stamp + body, hashlib.sha256)).decode()
            seen.bodies.append((digest == self.headers["X-Zendesk-Webhook-Signature"], body))
            status = seen.statuses.pop(0) if seen.statuses else 200
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_port}/webhooks/zendesk"
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_arrive_signed(sandbox: SandboxProcess, receiver: Receiver) -> None:
    sandbox.post("zendesk/webhooks", url=receiver.url)
    made = sandbox.post("zendesk/tickets", subject="Größe & <b>")
    sandbox.wait_idle()
    ((good, body),) = receiver.bodies
    assert good
    assert body.endswith(b"}\n")
    assert json.loads(body)["id"] == made["events"][0]["id"]
    (entry,) = sandbox.ledger("zendesk.webhook")
    assert (entry["status"], entry["attempts"], entry["last_status"]) == ("success", 1, 200)


def test_conflicts_and_broken_connections_are_tried_again(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    sandbox.post("zendesk/webhooks", url=receiver.url, retry_spacing=0.05)
    receiver.statuses = [409, 409]
    sandbox.post("zendesk/tickets", subject="x")
    sandbox.wait_idle()
    assert len(receiver.bodies) == 3
    dead = "http://127.0.0.1:9/nothing-listens-here"
    sandbox.post("zendesk/webhooks", url=dead, retry_spacing=0.01)
    sandbox.post("zendesk/tickets", subject="y")
    sandbox.wait_idle()
    lost = sandbox.get("zendesk/invocations?status=timeout")["invocations"]
    assert [invocation["attempts"] for invocation in lost] == [6]


def test_a_slow_receiver_times_out(sandbox: SandboxProcess) -> None:
    hang = f"{sandbox.url}/slack/api/auth.test"
    sandbox.http.post("/control/faults", json={"service": "slack", "kind": "hang", "delay": 5})
    sandbox.post("zendesk/webhooks", url=hang, timeout=0.1, retry_spacing=0.01)
    sandbox.post("zendesk/tickets", subject="x")
    sandbox.wait_idle()
    (entry,) = sandbox.ledger("zendesk.webhook")
    assert (entry["status"], entry["attempts"], entry["last_status"]) == ("timeout", 6, 0)


def test_burst_and_what_was_expected(sandbox: SandboxProcess, receiver: Receiver) -> None:
    sandbox.post("zendesk/webhooks", url=receiver.url)
    steps = "create,reply,note,solve,reopen,solve"
    burst = sandbox.post("zendesk/burst", tickets=40, actions=steps, rate=2000)
    sandbox.wait_idle()
    state = sandbox.get(f"zendesk/burst/{burst['id']}")
    assert (state["actions_done"], state["actions_failed"], state["finished"]) == (240, 0, True)
    expected = sandbox.get("expected")
    totals = expected["totals"]
    assert (totals["tickets"], totals["solved_now"], totals["reopened"]) == (40, 40, 40)
    assert (totals["public_comments"], totals["private_comments"]) == (200, 40)
    assert totals["feed_actions"] == 200  # created, reply, solve, reopen, solve: the note is private
    sent = [event for ticket in expected["tickets"] for event in ticket["event_ids"]]
    assert sorted(receiver.ids()) == sorted(sent)
    assert all(good for good, _ in receiver.bodies)
    first = expected["tickets"][0]
    assert (first["status"], first["reopens"], len(first["solves"])) == ("solved", 1, 2)
    assert state["ticket_ids"] == [ticket["ticket_id"] for ticket in expected["tickets"]]


@pytest.mark.parametrize("actions", ["comment", "create,dance"])
def test_wrong_bursts(sandbox: SandboxProcess, actions: str) -> None:
    answer = sandbox.http.post("/control/zendesk/burst", json={"actions": actions})
    assert answer.status_code == 400


def test_integration_comments_are_told_apart(sandbox: SandboxProcess) -> None:
    key = sandbox.post("zendesk/tickets", subject="x")["ticket"]["id"]
    body = {"ticket": {"comment": {"body": "Please rate us", "public": True}}}
    sandbox.http.put(f"/zendesk/api/v2/tickets/{key}.json", json=body, auth=INTEGRATION_LOGIN)
    (ticket,) = sandbox.get("expected")["tickets"]
    assert (len(ticket["integration_comments"]), len(ticket["public_comments"])) == (1, 1)
    assert ticket["feed_actions"] == 1


def test_requesters_join_their_organization(sandbox: SandboxProcess) -> None:
    zoe = {"name": "Zoe", "email": "zoe@new.example", "organization": "New Ltd"}
    by_agent = {"subject": "x", "requester": zoe, "as": "agent"}
    ticket = sandbox.post("zendesk/tickets", **by_agent)["ticket"]
    assert (ticket["submitter_id"], ticket["organization_id"] is not None) == (8447388090494, True)
    again = sandbox.post("zendesk/tickets", subject="y", requester={"email": "ZOE@new.example"})["ticket"]
    assert (again["requester_id"], again["submitter_id"]) == (ticket["requester_id"], ticket["requester_id"])
    assert again["organization_id"] == ticket["organization_id"]


def test_reset_forgets_but_counts_on(sandbox: SandboxProcess) -> None:
    sandbox.post("zendesk/webhooks", url="http://127.0.0.1:9/", retry_spacing=60)
    before = sandbox.post("zendesk/tickets", subject="x")["ticket"]["id"]
    last = sandbox.get("ledger")["last_seq"]
    sandbox.post("reset")
    summary = sandbox.get("summary")
    assert (summary["tickets"], summary["sender"]["pending"], summary["ledger"]) == (0, 0, {})
    assert sandbox.post("zendesk/tickets", subject="y")["ticket"]["id"] > before
    assert sandbox.get("ledger")["last_seq"] >= last
    url = "/zendesk/api/v2/users/me"
    assert sandbox.http.get(url, auth=INTEGRATION_LOGIN).json()["user"]["id"] == 8447388090001


def test_ledger_after_and_limit(sandbox: SandboxProcess) -> None:
    for name in ("a", "b", "c"):
        body = {"organization": {"name": name}}
        sandbox.http.post("/zendesk/api/v2/organizations", json=body, auth=INTEGRATION_LOGIN)
    first, *rest = sandbox.ledger("zendesk.organization")
    after = sandbox.get(f"ledger?kind=zendesk&after={first['seq']}&limit=1")
    assert after["entries"] == rest[:1]
    assert sandbox.ledger("zendesk.org") == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("zendesk/tickets", {"form": "Nonsense"}, 404),
        ("zendesk/tickets", {"as": "nobody@x.example"}, 404),
        ("zendesk/tickets/1/comments", {"body": "x"}, 404),
        ("zendesk/webhooks", {}, 400),
        ("salesforce/objects", {"name": "X__c", "fields": [{"wrong": 1}]}, 400),
        ("zendesk/tickets", {"status": "sideways"}, 422),
    ],
)
def test_wrong_control_requests(
    sandbox: SandboxProcess, path: str, body: dict[str, object], status: int
) -> None:
    assert sandbox.http.post(f"/control/{path}", json=body).status_code == status


def test_page_escapes_what_strangers_wrote(sandbox: SandboxProcess) -> None:
    sandbox.post("zendesk/tickets", subject="<script>alert(1)</script>", description="<img src=x onerror=1>")
    page = sandbox.http.get("/")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<img" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for part in ("/page/now", "/page/page.js", "/page/page.css"):
        assert sandbox.http.get(part).status_code == 200


def test_command_line_explains_itself() -> None:
    shown = run_command("sandbox", "serve", "--help", environment={"COLUMNS": "200"}).stdout
    for word in ("--port", "SANDBOX_PORT", "--webhook-secret", "--public-url"):
        assert word in shown


def test_stops_on_sigterm_at_once(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path, ForkedChild) as second:
        second.post("zendesk/webhooks", url="http://127.0.0.1:9/", retry_spacing=60)
        second.post("zendesk/tickets", subject="x")
        second.child.stop(within=5)
    eventually_now(lambda: not second.child.running, within=1)
