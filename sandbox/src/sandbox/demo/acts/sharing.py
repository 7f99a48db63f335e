"""The act of a shared organization: a customer agrees in a ticket, one asks, another approves, and it is undone."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import httpx

from sandbox.clients import tls
from sandbox.demo import PROXY_KEY
from sandbox.demo.finding import Finding
from sandbox.demo.processes import DemoError
from sandbox.demo.world import Json

ASKS, APPROVES = "ada", "ben"
PHRASE = "We accept that members of our organization see each other's tickets"
OPTION = "all_view"
_SEEN = re.compile(r'name="seen" value="([0-9a-f]+)"')


class SharingPages:
    """sfdc-sync's pages, as two people use them whom a proxy in front has logged in."""

    def __init__(self, address: str, patience: float) -> None:
        self._patience = patience
        self._http = httpx.Client(base_url=address, timeout=30, verify=tls())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, organization: int, ticket: int) -> str:
        """The path of the new request."""
        fields = {"organization": str(organization), "ticket": str(ticket), "option": OPTION}
        return self._send("/sharing/new", ASKS, fields)

    def approve(self, request: str) -> None:
        """Read what it would change, once the worker has, and say yes to exactly that."""
        seen = self._until(request, lambda page: found[1] if (found := _SEEN.search(page)) else "")
        self._send(request, APPROVES, {"do": "approve", "seen": seen})

    def undo(self, request: str) -> None:
        """Put back what was before."""
        self._send(request, APPROVES, {"do": "undo", "reason": "The trial is over."})

    def wait_for(self, request: str, state: str) -> None:
        """Until the page says that it stands so."""
        self._until(request, lambda page: f"<td>{state}" in page)

    def _until[T](self, path: str, look: Callable[[str], T]) -> T:
        deadline = time.monotonic() + self._patience
        while not (found := look(self._http.get(path, headers=_as(APPROVES)).text)):
            if time.monotonic() > deadline:
                raise DemoError(f"after {self._patience:g} s still waiting for {path}")
            time.sleep(0.2)
        return found

    def _send(self, path: str, who: str, fields: Mapping[str, str]) -> str:
        answer = self._http.post(path, data=fields, headers=_as(who) | {"sec-fetch-site": "same-origin"})
        if answer.status_code != 303:
            raise DemoError(f"POST {path} was answered {answer.status_code}")
        return str(answer.headers["location"])


def _as(who: str) -> dict[str, str]:
    return {"X-Forwarded-User": who, "X-Operators-Proxy-Secret": PROXY_KEY}


def is_sharing(entry: Json) -> bool:
    """Whether an entry is a change of who sees an organization's tickets."""
    return entry["kind"] == "zendesk.organization.updated" and "shared_tickets" in entry["fields"]


def is_told(entry: Json, ticket: int) -> bool:
    """Whether an entry is a comment that tells a ticket what became of its request."""
    mine = entry["kind"] == "zendesk.comment" and entry["ticket_id"] == ticket
    return bool(mine) and "Reference: sharing-" in str(entry["body"])


def findings(ticket: int | None, entries: Sequence[Json]) -> Iterator[Finding]:
    """Opened once and closed once, each said once on the ticket; nothing without one."""
    changed = [entry["fields"]["shared_tickets"] for entry in entries if is_sharing(entry)]
    yield Finding("shared_tickets of the organization, in order", [True, False] if ticket else [], changed)
    if ticket is not None:
        told = [entry["public"] for entry in entries if is_told(entry, ticket)]
        yield Finding("sharing: said on its ticket", [True, True], told)
