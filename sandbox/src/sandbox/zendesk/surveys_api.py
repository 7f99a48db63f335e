"""Survey responses of the new CSAT: one by id, and those about a ticket or of a time.

See docs/vendors/zendesk.md#ratings.
"""

from sandbox.clock import NANOS, iso_seconds
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import not_found
from sandbox.zendesk.records import SurveyResponse

SUBJECT = "zen:ticket:"
SURVEY = {"id": "01J58KJ9RAE0D2EK7HRVM7Z8F2", "version": 3, "state": "enabled"}


class SurveysApi:
    """Read only: customers answer through the control API."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/guide/survey_responses", self.index),
            ("GET", "/guide/{locale}/survey_responses/{id}", self.show),
        ]

    def index(self, call: Call) -> Reply:
        """`filter[subject_zrns]`, `filter[created_at_start]`, `filter[created_at_end]` (epoch seconds)."""
        records = self._account.records
        if not records.surveys_listed:
            raise not_found()
        found = list(records.responses.values())
        if subjects := call.query.get("filter[subject_zrns]"):
            found = [r for r in found if f"{SUBJECT}{r.ticket_id}" in subjects.split(",")]
        if start := call.query.get("filter[created_at_start]"):
            found = [r for r in found if r.created_at >= int(start) * NANOS]
        if end := call.query.get("filter[created_at_end]"):
            found = [r for r in found if r.created_at < int(end) * NANOS]
        return Reply(200, page_of(call, self._account.base, "survey_responses", found, shown))

    def show(self, call: Call) -> Reply:
        found = self._account.records.responses.get(str(call.params["id"]))
        if found is None:
            raise not_found()
        return Reply(200, {"survey_response": shown(found)})


def shown(r: SurveyResponse) -> Json:
    """As Zendesk's page of the API shows it; one answer per question that was asked."""
    answers = [] if r.rating is None else _answers(r)
    return {
        "id": r.id,
        "answers": answers,
        "expires_at": iso_seconds(r.created_at + 28 * 86_400 * NANOS),
        "responder_id": r.responder_id,
        "subject_zrns": [f"{SUBJECT}{r.ticket_id}"],
        "subjects": [{"id": str(r.ticket_id), "type": "ticket", "zrn": f"{SUBJECT}{r.ticket_id}"}],
        "survey": SURVEY,
    }


def _answers(r: SurveyResponse) -> list[Json]:
    category = "good" if (r.rating or 0) > 3 else "bad"
    given = [_answer(r, "rating_scale", "rating", rating=r.rating, rating_category=category)]
    if r.reason:
        label = {"type": "static", "value": r.reason}
        option = {"id": "01GFYBENPDGN1R6NAA4WRDNVFS", "label": label}
        selections = [{"type": "predefined", "option": option}]
        given.append(_answer(r, "closed_ended", "reason", selections=selections))
    if r.comment:
        return [*given, _answer(r, "open_ended", "comment", value=r.comment)]
    return [*given, _answer(r, "skipped", "comment")]


def _answer(r: SurveyResponse, kind: str, alias: str, **values: object) -> Json:
    moments = {"created_at": iso_seconds(r.created_at), "updated_at": iso_seconds(r.updated_at)}
    question = {"id": f"01GFYBENPDGN1R6NAA4WRD{alias.upper()[:4]}", "alias": alias, "type": kind}
    return {"type": kind, "question": question, **values, **moments}
