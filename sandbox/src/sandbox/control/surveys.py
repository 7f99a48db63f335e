"""Control routes of the new CSAT: a survey is offered, its responder answers and changes their mind."""

from sandbox.control.people import People
from sandbox.web import Call, Reply, RouteRow
from sandbox.world import World
from sandbox.zendesk.account import SYSTEM_ACTOR
from sandbox.zendesk.events import Happening
from sandbox.zendesk.records import SurveyResponse, Ticket
from sandbox.zendesk.surveys_api import SURVEY, shown
from sandbox.zendesk.webhooks import ulid


class SurveyControl:
    """The account keeps legacy ratings as they are: the two kinds exclude each other.

    See docs/vendors/zendesk.md#rating-events.
    """

    def __init__(self, world: World, people: People) -> None:
        self._world = world
        self._zendesk = world.zendesk
        self._people = people

    def rows(self) -> list[RouteRow]:
        return [
            ("POST", "/zendesk/tickets/{id}/survey", self.survey),
            ("POST", "/zendesk/surveys", self.settle),
        ]

    def settle(self, call: Call) -> Reply:
        """`listed` false: an account whose survey responses cannot be listed, only read by id."""
        records = self._zendesk.account.records
        records.surveys_listed = bool(call.json().get("listed", True))
        return Reply(200, {"listed": records.surveys_listed})

    def survey(self, call: Call) -> Reply:
        """Without `rating` the survey is offered; with `rating` 1-5, `comment`, `reason` it is answered (again)."""
        ticket = self._zendesk.account.ticket(call.number("id"))
        values = call.json()
        response = self._response(ticket)
        now = self._world.clock.now_ns()
        if values.get("rating") is None:
            self._log(ticket, response, "SurveyOffered", Happening("csat_requested"), SYSTEM_ACTOR)
        else:
            response.rating = int(values["rating"])
            response.comment, response.reason = values.get("comment"), values.get("reason")
            response.updated_at = now
            actor = self._people.actor(values.get("as", "requester"), ticket)
            self._log(ticket, response, "SurveyResponseSubmitted", Happening("csat_received"), actor)
        return Reply(200, {"survey_response": shown(response)})

    def _response(self, ticket: Ticket) -> SurveyResponse:
        records, now = self._zendesk.account.records, self._world.clock.now_ns()
        for known in records.responses.values():
            if known.ticket_id == ticket.id:
                return known
        made = SurveyResponse(ulid(now), ticket.id, ticket.requester_id, None, None, None, now, now)
        records.responses[made.id] = made
        return made

    def _log(
        self, ticket: Ticket, response: SurveyResponse, kind: str, happening: Happening, actor: int
    ) -> None:
        editor = self._zendesk.editor
        audit = editor.new_audit(ticket, actor)
        named = {"survey_id": SURVEY["id"], "survey_response_id": response.id}
        audit.events.append({"id": audit.id + 1, "type": kind, **named})
        editor.finish(ticket, audit, [happening])
