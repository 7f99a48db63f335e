"""A quarter of an organization's tickets, and a browser that has logged in: what tests of the dashboard stand on."""

import re
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import insert

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from supportops.clock import ManualClock
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.passwords import hash_password
from supportops.web.auth.settings import OperatorsSettings
from tests.integration.csat.assertions import tallied
from tests.integration.csat.http_app import ADDRESS, csat_app

PASSWORD = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASHED = hash_password(PASSWORD, CHEAP)
SESSION_KEYS = "the-session-key-of-these-tests,the-one-before-that-0123"

FORMS = ("Self-managed", "GitLab.com", "License Renewals and Upgrades", "Security Issue", "")
PLANS = ("Ultimate", "Premium", "Starter", "")
REGIONS = ("AMER", "EMEA", "APAC", "")
GROUPS = ("Support AMER", "Support EMEA", "Support APAC")
ASSIGNEES = tuple(
    f"{first} {last}"
    for first in ("Amara", "Björn", "Chen", "Dana")
    for last in ("Okafor", "Lindqvist", "Wei", "Moreau")
)
PRAISE = ("Quick and friendly, thank you!", "Solved in one reply.", "Great help, as always.")
BLAME = (
    "The answer came quickly, but the build still fails.",
    "I had to explain the same thing three times.\n\nPlease read the whole ticket first.",
    "Two weeks for a license question is too long.",
)


def settings(**values: Any) -> OperatorsSettings:
    """A login by password, unless something else is said."""
    return OperatorsSettings(**({"password_hash": HASHED, "session_keys": SESSION_KEYS} | values))


def application(
    store: Store, clock: ManualClock, opened: OperatorAuth, rules: CsatPolicy | None = None
) -> FastAPI:
    """csat's HTTP side behind this guard."""
    tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
    return csat_app(store, tokens, rules or CsatPolicy(), opened)


def browser_of(app: FastAPI) -> httpx.AsyncClient:
    """A browser, more or less; it keeps cookies and follows nothing by itself."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ADDRESS)


def form_token(page: str) -> str:
    """The token in a page's form."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


async def log_in(
    browser: httpx.AsyncClient, password: str = PASSWORD, next_path: str = "/dashboard"
) -> httpx.Response:
    """Open the login page, fill in its form and send it."""
    shown = await browser.get("/login", params={"next": next_path})
    fields = {"form_token": form_token(shown.text), "password": password, "next": next_path}
    return await browser.post("/login", data=fields)


async def quarter(store: Store, clock: ManualClock, tickets: int = 1500) -> None:
    """Tickets of the thirteen weeks before now, the same ones each time, counted."""
    chance = Random(4)
    rows = [_ticket(chance, number, clock.now()) for number in range(1, tickets + 1)]
    async with store.transaction() as tx:
        await tx.conn.execute(insert(tables.ticket_facts), [facts for facts, _ in rows])
        rated = [rating for _, rating in rows if rating]
        if rated:
            await tx.conn.execute(insert(tables.ratings), rated)
    await tallied(store, UTC, batch=5000)


async def rated_ticket(store: Store, at: datetime, ticket_id: str, comment: str, **values: Any) -> None:
    """One ticket with an unhappy comment, counted."""
    facts, rating = _rows(ticket_id, at, {"score": "bad", "comment": comment, **values})
    async with store.transaction() as tx:
        await tx.conn.execute(insert(tables.ticket_facts), [facts])
        await tx.conn.execute(insert(tables.ratings), [rating])
    await tallied(store, UTC)


def _ticket(chance: Random, number: int, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    solved_at = now - timedelta(days=chance.random() * 88)
    names = {
        "form": chance.choices(FORMS, (50, 30, 12, 5, 3))[0],
        "plan": chance.choices(PLANS, (30, 45, 20, 5))[0],
        "region": chance.choices(REGIONS, (45, 35, 18, 2))[0],
        "group_name": chance.choice(GROUPS),
        "assignee": chance.choice(ASSIGNEES),
    }
    decided = now - solved_at > timedelta(days=1)
    asked = decided and chance.random() < 0.91
    answered = asked and chance.random() < 0.26
    happy = chance.random() < (0.9 if names["form"].startswith("License") else 0.965)
    words = chance.choice(PRAISE if happy else BLAME) if chance.random() < 0.5 else None
    answer = {"score": "good" if happy else "bad", "comment": words} if answered else {}
    if answered and not happy:
        answer["reason"] = chance.choice(CsatPolicy().reasons)
    return _rows(str(number), solved_at, names | answer | {"decided": decided, "asked": asked})


def _rows(ticket_id: str, at: datetime, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of one ticket in `facts` and, where it was answered, in `ratings`."""
    score, comment, reason = values.get("score"), values.get("comment"), values.get("reason", "")
    names = {name: values.get(name, "") for name in ("form", "plan", "region", "group_name", "assignee")}
    facts = names | {
        "ticket_id": ticket_id,
        "solved_at": at,
        "decided": values.get("decided", True),
        "asked_at": at + timedelta(hours=24) if values.get("asked", True) else None,
        "score": score,
        "reason": reason,
        "has_comment": bool(comment),
        "rated_at": at + timedelta(hours=30) if score else None,
        "described_at": at,
        "noted_at": at,
        "stale": True,
    }
    rating = {
        "ticket_id": ticket_id,
        "rating_id": f"rating-{ticket_id}",
        "source": "hosted",
        "score": score,
        "comment": comment,
        "reason": reason or None,
        "revision": 1,
        "rated_at": at + timedelta(hours=30),
    }
    return facts, rating if score else {}
