"""The doctor tells what it found, whatever Zendesk answers: an odd answer hides no other check, and none is "ok"."""

import itertools

import httpx
import orjson

from csat.operations.gitlab_checks import feedback_check
from csat.operations.zendesk_checks import AccountChecks
from csat.policy.csat import CsatPolicy
from csat.policy.feedback import FeedbackPolicy
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.operations.checks import examine
from supportops.vendors.gitlab import GitLab
from tests.support.for_each import for_each

KEYS = ("user", "automations", "triggers", "ticket_forms", "organization_fields", "organizations")
ODD: tuple[object, ...] = (None, "x", 5, True, {"a": 1}, [5, None], [{}], [{"actions": 5, "conditions": [1]}])
METAS: tuple[object, ...] = (None, [], "x", {"has_more": True, "after_cursor": {"x": 1}}, {"has_more": True})
BODIES = [
    orjson.dumps(dict.fromkeys(KEYS, odd) | {"meta": meta}) for odd, meta in itertools.product(ODD, METAS)
]
NO_LISTS = [b"", b"[]", b"null", b"<html>", b"{}", b'{"error": "unavailable"}']


@for_each("ask_by", ["hosted", "native"])
@for_each("body", BODIES + NO_LISTS)
async def test_the_doctor_lives_on_any_answer(ask_by: str, body: bytes) -> None:
    rules = CsatPolicy.model_validate(
        {
            "ask_by": ask_by,
            "numbers": {"plan": {"organization_field": "plan"}},
            "feedback": {"project": "a/b"},
        }
    )
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=body))
    async with httpx.AsyncClient(transport=transport, base_url="https://acme.zendesk.com") as client:
        found = await examine(AccountChecks(client, rules, SystemClock()).all())
    names = {each.check for each in found}
    assert {"zendesk login", "forms", "other surveys"} <= names
    if body in NO_LISTS:
        assert {each.check for each in found if each.verdict == "ok"} <= {"region of the numbers"}


@for_each("odd", [*ODD, {"project_access": 5, "group_access": []}])
async def test_the_doctor_lives_on_any_answer_of_gitlab(odd: object) -> None:
    body = {"username": odd, "permissions": odd, "visibility": odd, "scopes": odd, "expires_at": odd}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    async with httpx.AsyncClient(transport=transport, base_url="https://g.example/api/v4") as client:
        gitlab = GitLab(client, "4", clock=SystemClock(), metrics=Metrics())
        found = await examine([feedback_check(gitlab, FeedbackPolicy(project="4"))])
    assert {"gitlab", "gitlab token", "gitlab labels"} <= {each.check for each in found}
