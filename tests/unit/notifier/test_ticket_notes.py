"""Notices about tickets: nothing that strangers wrote is more than text in them."""

from types import SimpleNamespace
from typing import Any, cast

from notifier.notices.messages import TicketNotes
from notifier.notices.payloads import RATING, SUCCESS, TAM
from notifier.policy.notices import NoticesPolicy
from notifier.posting.prepared import NOTE, Prepared
from supportops.vendors.zendesk import Organization, Ticket
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers

RULES = NoticesPolicy.model_validate(
    {
        "success": {"channel": "C0SUCCESS"},
        "account_manager": {"enabled": True, "channel": "C0TAM"},
        "ratings": {"channel": "C0RATINGS"},
    }
)


class Vendors:
    """Zendesk, where everybody writes the same words everywhere."""

    base_url = "https://acme.zendesk.com"
    policy = SimpleNamespace(is_secret=lambda _form: False)

    def __init__(self, words: str) -> None:
        self._words = words
        self.lookups = self

    async def tickets(self, _ids: list[str]) -> dict[str, Ticket]:
        facts = {"id": 5, "status": "open", "subject": self._words, "priority": self._words}
        return {"5": Ticket.model_validate(facts | {"updated_at": "2026-11-02T09:00:00Z"})}

    async def form_of(self, _ticket: Ticket) -> str:
        return "Self-Managed"

    async def organization(self, _id: str | None) -> Organization:
        fields = {"technical_account_manager": self._words, "account_owner": self._words}
        return Organization.model_validate({"id": 1, "name": self._words, "organization_fields": fields})

    async def of(self, **_: Any) -> None:
        """No silence holds."""


@for_each("kind", [SUCCESS, TAM, RATING])
@for_each("words", HOSTILE)
async def test_hostile_words_stay_text(kind: str, words: str) -> None:
    vendors: Any = Vendors(words)
    data = {"account": words, "comment": words, "reason": words, "why": "breached over 24 hours ago"}
    note = {"kind": kind, "rule": kind, "ticket_id": "5", "data": data}
    delivery = SimpleNamespace(payload={NOTE: note}, lane="C1", key="k")
    made = await TicketNotes(vendors, RULES, vendors).prepare(cast(Any, delivery))
    assert isinstance(made, Prepared)
    assert dangers(made.message, allowed=set(), links={"https://acme.zendesk.com/agent/tickets/5"}) == []
