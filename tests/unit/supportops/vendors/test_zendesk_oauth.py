"""The way into Zendesk by OAuth: when a token is asked for, what a refusal becomes, and who waits for whom."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from structlog.testing import capture_logs

from supportops.errors import CredentialRefused, DestinationAway, DestinationPaused, Permanent
from supportops.observability.log_limit import EVERY
from supportops.vendors.zendesk.grant import AWAY_WAIT
from tests.support.eventually import eventually
from tests.unit.supportops.vendors.token_endpoint import BASE, SECRET, TokenEndpoint


@pytest.fixture
async def zendesk() -> AsyncIterator[TokenEndpoint]:
    endpoint = TokenEndpoint()
    yield endpoint
    await endpoint.close()


async def test_the_first_call_asks_for_a_token_with_our_scopes(zendesk: TokenEndpoint) -> None:
    await zendesk.api.get("/users/me")
    await zendesk.api.get("/users/me")
    (asked,) = zendesk.asked
    assert asked == {
        "grant_type": "client_credentials",
        "client_id": "csat",
        "client_secret": SECRET,
        "scope": "read tickets:write",
        "expires_in": 3600,
    }
    assert zendesk.calls == [("GET", "token-1")] * 2
    assert zendesk.metrics.value("vendor_calls", vendor="zendesk", call="token", outcome="ok") == 1


async def test_calls_at_once_ask_once(zendesk: TokenEndpoint) -> None:
    zendesk.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(zendesk.api.get("/users/me"))
        await eventually(lambda: len(zendesk.asked) == 1)
        zendesk.gate.set()
    assert len(zendesk.asked) == 1
    assert set(zendesk.calls) == {("GET", "token-1")}


async def test_it_is_renewed_beside_the_calls_before_it_ends(zendesk: TokenEndpoint) -> None:
    await zendesk.api.get("/users/me")
    zendesk.now = 0.79 * 3600
    await zendesk.api.get("/users/me")
    assert len(zendesk.asked) == 1
    zendesk.now = 0.81 * 3600
    zendesk.gate.clear()
    await zendesk.api.get("/users/me")  # goes out with the old one: it is valid
    await eventually(lambda: len(zendesk.asked) == 2)
    zendesk.gate.set()
    assert [token for _, token in zendesk.calls] == ["token-1"] * 3
    await eventually(lambda: _current(zendesk) == "token-2")


async def test_a_token_at_its_end_is_not_used(zendesk: TokenEndpoint) -> None:
    await zendesk.api.get("/users/me")
    zendesk.now = 3600
    await zendesk.api.get("/users/me")
    assert [token for _, token in zendesk.calls] == ["token-1", "token-2"]


async def test_one_401_renews_once_and_repeats_the_call_with_its_body(zendesk: TokenEndpoint) -> None:
    zendesk.refused = {"token-1"}
    response = await zendesk.api.put("/tickets/1", content=b'{"ticket":{}}')
    assert response.json() == {"body": '{"ticket":{}}'}
    assert zendesk.calls == [("PUT", "token-1"), ("PUT", "token-2")]


async def test_calls_that_get_401_late_use_the_newer_token(zendesk: TokenEndpoint) -> None:
    old = await zendesk.tokens.current()
    newer = await zendesk.tokens.instead_of(old)
    assert await zendesk.tokens.instead_of(old) is newer
    assert len(zendesk.asked) == 2


async def test_a_fresh_token_that_is_refused_pauses_and_nobody_asks_again(zendesk: TokenEndpoint) -> None:
    zendesk.refused = {"token-1", "token-2"}
    with pytest.raises(CredentialRefused, match="suspended") as caught:
        await zendesk.api.get("/users/me")
    assert caught.value.after == timedelta(minutes=1)
    for _ in range(5):
        with pytest.raises(CredentialRefused, match="suspended"):
            await zendesk.api.get("/users/me")
    assert (len(zendesk.asked), len(zendesk.calls)) == (2, 2)
    zendesk.now, zendesk.refused = 61, set()
    await zendesk.api.get("/users/me")
    assert zendesk.calls[-1] == ("GET", "token-3")


REFUSALS: dict[str, tuple[int, object, str]] = {
    "secret": (
        401,
        {"error": "invalid_client", "error_description": "unknown client"},
        "ZENDESK_CLIENT_SECRET",
    ),
    "kind": (400, {"error": "unauthorized_client"}, "Confidential"),
    "grant": (400, {"error": "unsupported_grant_type"}, "Confidential"),
    "scope": (400, {"error": "invalid_scope"}, "scope"),
    "person": (400, {"error": "invalid_grant"}, "active administrator"),
    "no code": (401, None, "ZENDESK_CLIENT_ID"),
    "no account": (404, {"error": "RecordNotFound"}, "ZENDESK_BASE_URL"),
    "address": (403, None, "IP restrictions"),
    "away": (503, None, "asked again"),
}


@pytest.mark.parametrize(("status", "body", "words"), REFUSALS.values(), ids=REFUSALS)
async def test_refusals_are_told_apart_with_their_remedy(
    zendesk: TokenEndpoint, status: int, body: object, words: str
) -> None:
    kind = DestinationAway if status == 503 else CredentialRefused  # somebody must act, or nobody need to
    zendesk.refuse(status, body)
    with pytest.raises(kind, match=words):
        await zendesk.api.get("/users/me")
    with pytest.raises(kind, match=words):
        await zendesk.api.get("/users/me")
    assert len(zendesk.asked) == 1, "nobody asks again before the pause is over"


async def test_no_two_mistakes_of_the_login_have_one_text(zendesk: TokenEndpoint) -> None:
    texts = set()
    for status, body, _ in REFUSALS.values():
        zendesk.refuse(status, body)
        zendesk.now += 3600
        with pytest.raises(DestinationPaused) as caught:
            await zendesk.api.get("/users/me")
        texts.add(str(caught.value))
    assert len(texts) == len(REFUSALS)


async def test_a_moved_account_names_its_new_host(zendesk: TokenEndpoint) -> None:
    zendesk.refuse(301, location="https://acme-new.zendesk.com/oauth/tokens?secret=1")
    with pytest.raises(DestinationPaused, match=r"moved to acme-new\.zendesk\.com: set ZENDESK_BASE_URL"):
        await zendesk.api.get("/users/me")


async def test_a_refusal_never_quotes_the_secret(zendesk: TokenEndpoint) -> None:
    long = "x" * 30
    zendesk.refuse(
        400, {"error": "invalid_client", "error_description": f"no client with {SECRET} and {long}"}
    )
    with pytest.raises(DestinationPaused, match="no client with … and …") as caught:
        await zendesk.api.get("/users/me")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("said", ["", '"soon"', "-1", '"inf"', "[1]", "{}", "true", "null"])
async def test_without_a_readable_end_a_token_lives_the_least_time(zendesk: TokenEndpoint, said: str) -> None:
    end = f', "expires_in": {said}' if said else ""
    zendesk.answer = lambda: httpx.Response(200, content=f'{{"access_token": "t"{end}}}')
    await zendesk.api.get("/users/me")
    zendesk.now = 0.79 * 300
    await zendesk.api.get("/users/me")
    assert len(zendesk.asked) == 1
    zendesk.now = 300
    await zendesk.api.get("/users/me")
    assert len(zendesk.asked) == 2


@pytest.mark.parametrize(
    "content", [b"<html>", b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": "a\\nb"}']
)
async def test_an_answer_without_a_token_is_an_outage(zendesk: TokenEndpoint, content: bytes) -> None:
    zendesk.answer = lambda: httpx.Response(200, content=content)
    with pytest.raises(DestinationAway, match="without a token") as caught:
        await zendesk.api.get("/users/me")
    assert caught.value.after == AWAY_WAIT


async def test_an_hour_without_an_answer_is_told_every_ten_seconds_at_most(zendesk: TokenEndpoint) -> None:
    zendesk.answer = lambda: httpx.Response(503)
    told = []
    for second in range(0, 3600, 3):
        zendesk.now = second
        with capture_logs() as lines, pytest.raises(DestinationAway):
            await zendesk.tokens.current()
        told += [(second, line["times"]) for line in lines if line["event"] == "zendesk.token_refused"]
    moments = [moment for moment, _ in told]
    assert min(b - a for a, b in pairwise(moments)) >= EVERY
    assert max(b - a for a, b in pairwise(moments)) <= EVERY + AWAY_WAIT.total_seconds()
    assert sum(times for _, times in told) >= 1190


async def test_a_lost_answer_is_an_outage_and_no_unknown_outcome(zendesk: TokenEndpoint) -> None:
    zendesk.answer = lambda: httpx.ReadTimeout("")
    with pytest.raises(DestinationAway, match="ReadTimeout"):
        await zendesk.api.put("/tickets/1", content=b"{}")
    assert zendesk.calls == []


async def test_while_the_endpoint_is_away_a_valid_token_goes_on(zendesk: TokenEndpoint) -> None:
    await zendesk.api.get("/users/me")
    zendesk.now = 0.9 * 3600
    zendesk.refuse(500)
    for _ in range(3):
        await zendesk.api.get("/users/me")
        await eventually(lambda: len(zendesk.asked) == 2)
    assert [token for _, token in zendesk.calls] == ["token-1"] * 4
    assert len(zendesk.asked) == 2, "it is asked again after a pause only"


async def test_who_gives_up_takes_the_token_from_nobody(zendesk: TokenEndpoint) -> None:
    zendesk.gate.clear()
    impatient = asyncio.create_task(zendesk.api.get("/users/me"))
    patient = asyncio.create_task(zendesk.api.get("/users/me"))
    await eventually(lambda: len(zendesk.asked) == 1)
    impatient.cancel()
    await asyncio.wait([impatient])
    zendesk.gate.set()
    assert (await patient).status_code == 200
    assert len(zendesk.asked) == 1


async def test_the_token_goes_to_no_other_host(zendesk: TokenEndpoint) -> None:
    with pytest.raises(Permanent, match=r"evil\.example"):
        await zendesk.api.get("https://evil.example/x")
    assert (zendesk.asked, zendesk.calls) == ([], [])


async def test_nothing_shows_token_or_secret(zendesk: TokenEndpoint) -> None:
    token = await zendesk.tokens.current()
    shown = repr(token) + repr(vars(zendesk.tokens)) + str(token)
    assert SECRET not in shown
    assert "token-1" not in shown
    assert BASE in repr(vars(zendesk.tokens))


def _current(zendesk: TokenEndpoint) -> str:
    token = zendesk.tokens._token
    return token.value.get_secret_value() if token is not None else ""
