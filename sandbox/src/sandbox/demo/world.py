"""What the story can do and see, over HTTP alone: people's actions, the ledger, the survey page, the KPI."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.clients import tls
from sandbox.demo import CSAT_KEY, WEBHOOK_KEY
from sandbox.demo.processes import DemoError

Json = dict[str, Any]
SURVEY_LINK = re.compile(r"(https?://\S+/s/[^\s?]+)\?score=good")


@dataclass(frozen=True)
class Addresses:
    """Where the parts answer. `webhook_url` is ingest's hook as the sandbox reaches it."""

    ingest: str
    csat: str
    sandbox: str
    webhook_url: str = ""
    webhook_secret: str = WEBHOOK_KEY
    csat_token: str = CSAT_KEY
    sfdc_sync: str = ""
    """Of its pages; without them nothing is shared."""
    notifier: str = ""
    """Its HTTP side as the sandbox reaches it; without it no deadline comes near, and the bot is not asked."""


@dataclass(frozen=True)
class Limits:
    """Seconds: `patience`, how long to wait for any one effect; `latest`, how late a breach notice may be."""

    patience: float = 60.0
    latest: float = 1.0


class World:
    """One HTTP client for everything; usable as a context."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._http = httpx.Client(timeout=30, follow_redirects=True, verify=tls())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def control(self, method: str, path: str, body: Json | None = None) -> Json:
        """A call of the stand-ins' control API. Raises DemoError with what it answered."""
        answer = self._http.request(method, f"{self.addresses.sandbox}/control{path}", json=body)
        if answer.is_error:
            raise DemoError(f"{method} /control{path}: {answer.status_code} {answer.text[:300]}")
        found: Json = answer.json()
        return found

    def connect_zendesk(self) -> None:
        """Register the webhook, as an administrator would; once is enough."""
        url = self.addresses.webhook_url or f"{self.addresses.ingest}/webhooks/zendesk"
        if any(hook["endpoint"] == url for hook in self.control("GET", "/zendesk/webhooks")["webhooks"]):
            return
        hook = {"url": url, "secret": self.addresses.webhook_secret, "name": "supportops"}
        self.control("POST", "/zendesk/webhooks", hook)

    def open_ticket(self, **values: Any) -> int:
        """A customer writes; returns the ticket's id."""
        return int(self.control("POST", "/zendesk/tickets", values)["ticket"]["id"])

    def act(self, ticket_id: int, what: str, **values: Any) -> None:
        """`what`: comments, solve, reopen and so on."""
        self.control("POST", f"/zendesk/tickets/{ticket_id}/{what}", values)

    def ledger(self, kind: str = "", after: int = 0) -> list[Json]:
        """What happened to the outside world, in order."""
        found: list[Json] = self.control("GET", f"/ledger?kind={kind}&after={after}")["entries"]
        return found

    def last_seq(self) -> int:
        """The number of the newest entry."""
        return int(self.control("GET", "/ledger?limit=1")["last_seq"])

    def expected(self) -> dict[int, Json]:
        """What a perfect system would have seen, by ticket."""
        return {int(ticket["ticket_id"]): ticket for ticket in self.control("GET", "/expected")["tickets"]}

    def summary(self) -> Json:
        """Counts and what is under way."""
        return self.control("GET", "/summary")

    def records(self, name: str) -> list[Json]:
        """The rows of a Salesforce object."""
        found: list[Json] = self.control("GET", f"/salesforce/records/{name}")["records"]
        return found

    def edit_account(self, account_id: str, **fields: str) -> None:
        """Somebody changes an account in Salesforce."""
        self.control(
            "PATCH", "/salesforce/records", {"object": "Account", "id": account_id, "fields": fields}
        )

    def said_in_slack(self) -> list[Json]:
        """All messages of all channels, as they stand now."""
        channels = self.control("GET", "/slack/channels")["channels"]
        return [message for channel in channels for message in channel["messages"]]

    def press(self, app: str, channel: str, ts: str, user: str) -> None:
        """Somebody presses the first button of a message; Slack tells the app at that address."""
        told = {"url": f"{app}/slack/interactions", "channel": channel, "ts": ts, "user": user}
        self.control("POST", "/slack/press", told)

    def ask(self, app: str, question: str, user: str) -> str:
        """Somebody asks the bot by its slash command; the key of the address at which it answers."""
        told = {"url": f"{app}/slack/commands", "text": question, "user": user}
        return str(self.control("POST", "/slack/command", told)["key"])

    def look_at_survey(self, link: str) -> None:
        """Open the page, as a person or a mail scanner would: must not vote."""
        answer = self._http.get(link, params={"score": "good"})
        if answer.status_code != 200 or "<form" not in answer.text:
            raise DemoError(f"the survey page answered {answer.status_code}")

    def vote(self, link: str, **fields: str) -> None:
        """Send the page's form."""
        answer = self._http.post(link, data=fields)
        if answer.status_code != 200:
            raise DemoError(f"the vote was answered {answer.status_code}: {answer.text[:300]}")

    def kpi(self) -> Json:
        """How many were rated good and bad, how many were asked, and the share of the good ones."""
        bearer = {"Authorization": f"Bearer {self.addresses.csat_token}"}
        answer = self._http.get(f"{self.addresses.csat}/api/kpi", headers=bearer)
        if answer.is_error:
            raise DemoError(f"the KPI answered {answer.status_code}")
        totals: Json = answer.json()["totals"]
        return {name: totals[name] for name in ("good", "bad", "asked")} | {"kpi": totals["kpi"]["value"]}


def survey_link(entry: Json) -> str:
    """The link in a survey's comment; empty when the comment is something else."""
    found = SURVEY_LINK.search(str(entry.get("body", "")))
    return found.group(1) if found else ""


def wait_until[T](probe: Callable[[], T], about: str, within: float) -> T:
    """Ask until the answer is truthy. Raises DemoError when it never was."""
    deadline = time.monotonic() + within
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise DemoError(f"after {within:g} s still waiting for: {about}")
        time.sleep(0.1)
    return value
