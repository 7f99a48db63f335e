"""SLA targets on the three roads of docs/vendors/zendesk.md#sla, and the account's business hours.

Which roads the account answers is its plan's matter: `records.sla_roads`. A change of targets may show some time after
the event that tells of it, as Zendesk computes late.
"""

from typing import Any

from sandbox.clock import NANOS
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.problems import not_found
from sandbox.zendesk.records import Ticket

TARGETS = "policy_metrics"


class SlaApi:
    """What can be asked about targets and hours."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/tickets/{id}/slas/policy_metrics", self.targets),
            ("GET", "/business_hours/schedules", self.schedules),
            ("GET", "/business_hours/schedules/{id}/holidays", self.holidays),
        ]

    def targets(self, call: Call) -> Reply:
        """404 for a ticket that has none, and where the plan does not have the endpoint."""
        ticket = self._account.ticket(call.number("id"))
        shown = current_targets(self._account, ticket)
        if "policy_metrics" not in self._account.records.sla_roads or not shown:
            raise not_found()
        return Reply(200, {TARGETS: shown})

    def schedules(self, _: Call) -> Reply:
        return Reply(
            200, {"schedules": [_without_holidays(each) for each in self._account.records.schedules]}
        )

    def holidays(self, call: Call) -> Reply:
        for schedule in self._account.records.schedules:
            if schedule["id"] == call.number("id"):
                return Reply(200, {"holidays": schedule.get("holidays", [])})
        raise not_found()


def current_targets(account: Account, ticket: Ticket) -> list[dict[str, Any]]:
    """The targets as they show now."""
    if ticket.next_slas is not None and ticket.next_slas[0] <= account.clock.now_ns():
        ticket.slas, ticket.next_slas = ticket.next_slas[1], None
    return ticket.slas


def sideloaded(account: Account, ticket: Ticket, road: str = "sideload") -> Json:
    """`slas` as it stands inside a ticket; nothing where the account does not answer on this road."""
    if road not in account.records.sla_roads:
        return {}
    return {"slas": {TARGETS: current_targets(account, ticket)}}


def set_targets(account: Account, ticket: Ticket, values: Json) -> None:
    """`policy_metrics` as REST is to show them, `after` that many seconds."""
    shown = list(values.get(TARGETS, []))
    after = float(values.get("after", 0))
    current_targets(account, ticket)
    if after:
        ticket.next_slas = (account.clock.now_ns() + int(after * NANOS), shown)
    else:
        ticket.slas, ticket.next_slas = shown, None


def _without_holidays(schedule: Json) -> Json:
    return {key: value for key, value in schedule.items() if key != "holidays"}
