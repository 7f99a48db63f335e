"""The sandbox as a real process, and its control API as a few words."""

from pathlib import Path
from typing import Any

import httpx

from sandbox.clients import tls
from supportops.config import ZendeskSettings
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, free_port, python_module

INTEGRATION_LOGIN = ("ops@example.com/token", "sandbox-zendesk-token")
ZENDESK_CLIENT = {
    "ZENDESK_CLIENT_ID": "sandbox-zendesk-client",
    "ZENDESK_CLIENT_SECRET": "sandbox-zendesk-client-secret",
}


def zendesk_settings(sandbox_url: str, **changes: Any) -> ZendeskSettings:
    """The stand-in's account by its OAuth client, without a limit of ours."""
    usual = {
        "base_url": f"{sandbox_url}/zendesk",
        "client_id": ZENDESK_CLIENT["ZENDESK_CLIENT_ID"],
        "client_secret": ZENDESK_CLIENT["ZENDESK_CLIENT_SECRET"],
        "rate_limit": 100_000,
        "rate_share": 1,
    }
    return ZendeskSettings.model_validate(usual | changes)


SLACK_LOGIN = {"authorization": "Bearer xoxb-sandbox"}


class SandboxControl:
    """Controls and reads a sandbox that runs at `base_url`; each service's tests add their own words."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx.Client(base_url=f"{base_url}/control", timeout=10, trust_env=False, verify=tls())

    def disarm(self) -> None:
        self._http.delete("/faults").raise_for_status()

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._http.get(path)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


class SandboxProcess:
    """`python -m sandbox serve` on a free port. `url` is its base address, `child` how it is started."""

    def __init__(self, folder: Path, child: type[ChildProcess] = ChildProcess) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child = child(
            python_module("sandbox", "serve", "--port", str(self.port)),
            log=folder / f"sandbox-{self.port}.log",
            ready_url=f"{self.url}/healthz",
        )
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=tls())

    def __enter__(self) -> "SandboxProcess":
        self.child.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.child.stop()

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        """`POST /control/<path>`; fails on a refusal."""
        answer = self.http.post(f"/control/{path}", json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def get(self, path: str) -> dict[str, Any]:
        """`GET /control/<path>`."""
        answer = self.http.get(f"/control/{path}")
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def ledger(self, kind: str = "") -> list[dict[str, Any]]:
        """Outside effects of a kind, in their order."""
        found: list[dict[str, Any]] = self.get(f"ledger?kind={kind}")["entries"]
        return found

    def reset(self) -> None:
        """Back to the seeds, without faults and with the limits of a fresh start."""
        self.post("reset")
        zendesk = {
            "account": None,
            "updates": None,
            "updates_per_ticket": None,
            "exports": None,
            "export_lag": 60,
        }
        slack = {"per_second": 1.0, "burst": 3, "auto_channels": True}
        salesforce = {"daily": 100_000, "page_size": 2000, "session_seconds": None}
        gitlab = {"admin_issue": True, "scoped_labels": True, "search_lag": 0, "issues_per_minute": None}
        self.post("limits", zendesk=zendesk, slack=slack, salesforce=salesforce, gitlab=gitlab)

    def wait_idle(self, *, within: float = 30.0) -> None:
        """Until no burst runs and every invocation has come to its end."""
        eventually_now(lambda: self.get("summary")["idle"], within=within, about="an idle sandbox")
