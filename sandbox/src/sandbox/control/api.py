"""Routes of the control API. Bodies and answers are JSON; a wrong request gets 400 with a reason."""

from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control.burst import Bursts
from sandbox.control.expected import expected
from sandbox.control.gitlab import GitLabControl
from sandbox.control.people import People, Unknown
from sandbox.control.salesforce import SalesforceControl
from sandbox.control.setup import SetupControl
from sandbox.control.surveys import SurveyControl
from sandbox.control.tickets import TicketControl
from sandbox.faults import fault_of
from sandbox.salesforce.errors import Refused
from sandbox.slack.workspace import Channel, Person
from sandbox.web import BadBody, Call, Handler, Json, Reply, RouteRow, routes
from sandbox.world import World
from sandbox.zendesk.limits import Ceilings
from sandbox.zendesk.problems import Problem


class ControlApi:
    def __init__(self, world: World) -> None:
        self._world = world
        self._people = People(world.zendesk)
        self._bursts = Bursts(world.zendesk, self._people)

    def routes(self) -> list[Route]:
        rows: list[RouteRow] = [
            ("GET", "/ledger", self.ledger),
            ("GET", "/summary", self.summary),
            ("GET", "/expected", self.expected),
            ("GET", "/faults", self.faults),
            ("POST", "/faults", self.arm),
            ("DELETE", "/faults", self.disarm),
            ("DELETE", "/faults/{id}", self.disarm),
            ("POST", "/limits", self.limits),
            ("POST", "/slack/channels", self.channel),
            ("POST", "/slack/delete", self.delete_message),
            ("POST", "/slack/users", self.person),
            ("GET", "/slack/channels", self.channels),
            ("POST", "/slack/scopes", self.scopes),
            ("POST", "/zendesk/burst", self.burst),
            ("GET", "/zendesk/burst/{id}", self.burst_state),
        ]
        rows += TicketControl(self._world, self._people).rows()
        rows += SurveyControl(self._world, self._people).rows()
        rows += SetupControl(self._world.zendesk.account, self._world.zendesk.oauth).rows()
        rows += SalesforceControl(self._world.org, self._world.salesforce).rows()
        rows += GitLabControl(self._world.gitlab.records).rows()
        asked = self._world.app_requests.control_routes()
        return [Route("/reset", self._reset, methods=["POST"]), *asked, *routes(rows, _middleware)]

    async def _reset(self, _: Request) -> Response:
        self._bursts.stop()
        await self._world.reset()
        return Reply(200, {"reset": True}).response()

    # --- reading ---

    def ledger(self, call: Call) -> Reply:
        """`kind` (whole or the part before a dot), `after` (sequence number), `limit`."""
        limit = call.query.get("limit")
        after = int(call.query.get("after", "0"))
        kind = call.query.get("kind", "")
        found = self._world.ledger.find(kind, after=after, limit=int(limit) if limit else None)
        shown = [entry.as_json() for entry in found]
        return Reply(200, {"entries": shown, "count": len(shown), "last_seq": self._world.ledger.last_seq})

    def summary(self, _: Call) -> Reply:
        world = self._world
        sender = world.zendesk.sender
        return Reply(
            200,
            {
                "ledger": world.ledger.counts(),
                "sender": {"pending": sender.pending(), "invocations": sender.counts()},
                "bursts": [b.as_json() | {"ticket_ids": len(b.ticket_ids)} for b in self._bursts.all()],
                "tickets": len(world.zendesk.account.records.tickets),
                "slack_messages": sum(len(c.messages) for c in world.workspace.channels.values()),
                "gitlab_issues": sum(len(p.issues) for p in world.gitlab.records.projects.values()),
                "salesforce_records": {t.sobject.name: len(t.live()) for t in world.org.tables.values()},
                "salesforce_requests": world.salesforce.usage.used,
                "salesforce_logins": world.salesforce.sessions.logins,
                "faults": [fault.as_json() for fault in world.faults.list()],
                "limits": self._current_limits(),
                "idle": sender.pending() == 0 and all(b.finished for b in self._bursts.all()),
            },
        )

    def expected(self, _: Call) -> Reply:
        return Reply(200, expected(self._world.zendesk))

    # --- faults and limits ---

    def faults(self, _: Call) -> Reply:
        return Reply(200, {"faults": [fault.as_json() for fault in self._world.faults.list()]})

    def arm(self, call: Call) -> Reply:
        fault = fault_of(call.json())
        if fault.kind == "record_error":
            code = fault.code or "UNABLE_TO_LOCK_ROW"
            self._world.salesforce.collections.record_faults[code] = fault.count or 1
            return Reply(201, {"fault": fault.as_json()})
        if fault.kind == "expire_session" and fault.service == "*":
            fault.service = "salesforce"
        return Reply(201, {"fault": self._world.faults.arm(fault).as_json()})

    def disarm(self, call: Call) -> Reply:
        one = call.params.get("id")
        self._world.faults.clear(int(one) if one else None)
        if not one:
            self._world.salesforce.collections.record_faults.clear()
        return Reply(204)

    def limits(self, call: Call) -> Reply:
        """Set `zendesk`, `slack`, `salesforce` and `gitlab` limits; what is not named is left alone, null lifts."""
        given = call.json()
        world = self._world
        if "zendesk" in given:
            ceilings = dict(given["zendesk"])
            world.zendesk.export.lag = float(ceilings.pop("export_lag", world.zendesk.export.lag))
            world.zendesk.limits.set(Ceilings(**(world.zendesk.limits.current() | ceilings)))
        if "slack" in given:
            pace = given["slack"]
            world.workspace.pace.per_second = pace.get("per_second", world.workspace.pace.per_second)
            world.workspace.pace.burst = int(pace.get("burst", world.workspace.pace.burst))
            world.workspace.pace.clear()
            world.workspace.auto_channels = bool(pace.get("auto_channels", world.workspace.auto_channels))
        if "salesforce" in given:
            world.salesforce.usage.ceiling = int(
                given["salesforce"].get("daily", world.salesforce.usage.ceiling)
            )
            world.salesforce.page_size = int(given["salesforce"].get("page_size", world.salesforce.page_size))
            world.salesforce.sessions.life = given["salesforce"].get(
                "session_seconds", world.salesforce.sessions.life
            )
        if "gitlab" in given:
            switches = replace(world.gitlab.records.switches, **given["gitlab"])
            world.gitlab.records.switches = switches
        return Reply(200, self._current_limits())

    def _current_limits(self) -> Json:
        world = self._world
        pace, api = world.workspace.pace, world.salesforce
        slack = {
            "per_second": pace.per_second,
            "burst": pace.burst,
            "auto_channels": world.workspace.auto_channels,
        }
        org = {"daily": api.usage.ceiling, "page_size": api.page_size, "session_seconds": api.sessions.life}
        zendesk = world.zendesk.limits.current() | {"export_lag": world.zendesk.export.lag}
        site = asdict(world.gitlab.records.switches)
        return {"zendesk": zendesk, "slack": slack, "salesforce": org, "gitlab": site}

    # --- slack ---

    def delete_message(self, call: Call) -> Reply:
        """`channel` (id or name), `ts`: as a person who deletes it."""
        given = call.json()
        channel = self._world.workspace.channel(str(given["channel"]))
        gone = channel is not None and channel.delete(str(given["ts"]))
        return Reply(200 if gone else 404, {"deleted": gone})

    def channel(self, call: Call) -> Reply:
        """`id`, `name`, and `member`, `archived`, `private`, `ext_shared`: a new channel, or a known one changed."""
        given = call.json()
        made = self._world.workspace.channels.setdefault(
            str(given["id"]), Channel(given["id"], given["name"])
        )
        for name, value in given.items():
            setattr(made, name, value)
        return Reply(201, {"channel": {"id": made.id, "name": made.name}})

    def person(self, call: Call) -> Reply:
        """`id`, `name`, `email`, and `team`, `guest`, `deleted`, `is_bot`, `groups` (ids of user groups)."""
        made = Person(**call.json())
        self._world.workspace.people[made.id] = made
        return Reply(201, {"user": asdict(made)})

    def scopes(self, call: Call) -> Reply:
        """`scopes`: what the bot's token may do, for methods that ask for one."""
        self._world.workspace.scopes = list(call.json()["scopes"])
        return Reply(200, {"scopes": self._world.workspace.scopes})

    def channels(self, _: Call) -> Reply:
        shown = [
            {"id": c.id, "name": c.name, "messages": c.messages}
            for c in self._world.workspace.channels.values()
        ]
        return Reply(200, {"channels": shown})

    # --- bursts ---

    def burst(self, call: Call) -> Reply:
        return Reply(202, self._bursts.start(call.json()).as_json())

    def burst_state(self, call: Call) -> Reply:
        found = self._bursts.get(call.number("id"))
        if found is None:
            raise Unknown(f"no burst {call.params['id']}")
        return Reply(200, found.as_json())


def _middleware(call: Call, handler: Handler) -> Reply:
    try:
        return handler(call)
    except Problem as problem:
        return problem.reply
    except Refused as refused:
        return refused.reply()
    except (Unknown, KeyError) as error:
        return _wrong(404 if isinstance(error, Unknown) else 400, error)
    except (BadBody, ValueError, TypeError) as error:
        return _wrong(400, error)


def _wrong(status: int, error: Any) -> Reply:
    return Reply(status, {"error": f"{type(error).__name__}: {error}"})
