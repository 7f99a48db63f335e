"""A record as it was written: what is kept with its delivery, and the event that tells of it. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sfdc_sync.matching.matcher import Match
from sfdc_sync.matching.rules import Account, Person
from sfdc_sync.salesforce.responses import RecordResult
from sfdc_sync.ticket_records.decisions import Ticket
from supportops.contracts import RecordWritten
from supportops.contracts.salesforce import SalesforceAccount, SalesforcePerson


@dataclass(frozen=True)
class Written:
    """What became of one ticket's record; `removed`: it was put into the recycle bin instead."""

    ticket: Ticket
    result: RecordResult
    match: Match = field(default_factory=Match)
    adjusted: tuple[str, ...] = ()
    removed: bool = False

    @property
    def remarks(self) -> list[str]:
        """In words what is not in the record as it stands in Zendesk, and what matching wants somebody to see."""
        found = [each.remark for each in (self.match.account, self.match.contact) if each and each.remark]
        return [*self.result.left_out, *self.adjusted, *found]


def result_of(written: Written) -> dict[str, Any]:
    """What is kept with the delivery; shown by `explain`."""
    result = written.result
    if written.removed:
        return {"record_id": written.ticket.record_id, "removed": True}
    told: dict[str, Any] = {
        "record_id": result.record_id,
        "created": result.created,
        "revision": written.ticket.revision,
    }
    told |= {f"{name}_match": rule for name, rule in rules_of(written.match).items()}
    for name, lines in (("left_out", result.left_out), ("adjusted", written.adjusted)):
        if lines:
            told[name] = list(lines)
    return told


def rules_of(match: Match) -> dict[str, str]:
    """The names of the rules that found account and contact, where they were asked for."""
    found = {"account": match.account, "contact": match.contact}
    return {name: each.rule.value for name, each in found.items() if each is not None}


def event_of(event_id: str, written: Written, now: datetime) -> RecordWritten:
    """`salesforce.record.written`. Account and people are absent where nothing of an account was read."""
    known: dict[str, Any] = {f"{name}_match": rule for name, rule in rules_of(written.match).items()}
    if written.match.account is not None:
        known |= _people(written.match.account.account)
    return RecordWritten(
        id=event_id,
        source="/sfdc-sync",
        time=now,
        subject=written.ticket.ticket_id,
        ticket_id=written.ticket.ticket_id,
        record_id=written.result.record_id,
        created=written.result.created,
        version=written.ticket.version,
        **known,
    )


def _people(account: Account | None) -> dict[str, Any]:
    if account is None:
        return dict.fromkeys(("account", "technical_account_manager", "account_owner"))
    return {
        "account": SalesforceAccount(id=account.id, name=account.name),
        "technical_account_manager": _person(account.technical_account_manager),
        "account_owner": _person(account.owner),
    }


def _person(person: Person | None) -> SalesforcePerson | None:
    return SalesforcePerson(name=person.name, email=person.email) if person else None
