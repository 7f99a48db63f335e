"""The page behind a survey link: GET shows it, POST votes."""

import base64
import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from csat.answers.scoring import BadAnswer, parse_answer
from csat.answers.votes import Rating, rating_of_ticket
from csat.asking import records
from csat.asking.records import Survey
from csat.page.tokens import SurveyTokens, TokenExpired, TokenInvalid
from csat.page.voting import vote
from csat.settings import CsatRules
from supportops.observability.logging import get_logger
from supportops.store import Store

log = get_logger("csat.web")

FORM = "application/x-www-form-urlencoded"
TEMPLATES = Environment(
    loader=PackageLoader("csat.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_STYLE = base64.b64encode(
    hashlib.sha256(TEMPLATES.get_template("page.css").render().encode()).digest()
).decode()
SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
TITLE = "How was our support?"


class Closed(Exception):
    """There is nothing to answer behind this link; a status and a sentence say why."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


class SurveyPage:
    """The page behind a survey link, from token to HTML."""

    def __init__(self, store: Store, tokens: SurveyTokens, rules: CsatRules) -> None:
        self._store = store
        self._tokens = tokens
        self._rules = rules

    async def show(self, token: str, score: str = "", voted: bool = False) -> HTMLResponse:
        """The form, with the answer so far; `score` of the e-mail's link only pre-selects. Never votes."""
        survey, expires_at = await self._open(token)
        async with self._store.reading() as conn:
            rating = await rating_of_ticket(conn, survey.ticket_id)
        if voted and rating is not None:
            until = _day(expires_at)
            return self._html("thanks.html", 200, until=until, answered=rating.answer.score, form="?")
        typed = {"score": score} if score in ("good", "bad") else {}
        return self._form(200, expires_at, rating, typed)

    async def vote(self, token: str, request: Request) -> Response:
        """Take the answer of the form and send its writer to the thank-you page."""
        survey, expires_at = await self._open(token)
        fields = await _read_form(request, limit=12 * self._rules.comment_limit + 4096)
        try:
            answer = parse_answer(
                fields.get("score", ""),
                fields.get("comment", ""),
                fields.get("reason", ""),
                limit=self._rules.comment_limit,
                reasons=self._rules.reasons,
            )
        except BadAnswer as error:
            async with self._store.reading() as conn:
                rating = await rating_of_ticket(conn, survey.ticket_id)
            return self._form(422, expires_at, rating, fields, str(error))
        async with self._store.transaction() as tx:
            rating = await vote(tx, survey, answer)
        log.info("vote.taken", ticket_id=survey.ticket_id, score=answer.score, revision=rating.revision)
        return RedirectResponse("?voted=1", status_code=303)

    async def _open(self, token: str) -> tuple[Survey, datetime]:
        try:
            named = self._tokens.read(token)
        except TokenExpired:
            raise Closed(
                410, "This link has expired", "The time to answer is over. Thank you for your interest."
            ) from None
        except TokenInvalid:
            raise Closed(
                400,
                "This link is not valid",
                "It may have been cut short: please open it from the message again.",
            ) from None
        async with self._store.reading() as conn:
            survey = await records.survey_with_id(conn, named.survey_id)
        if survey is None:
            raise Closed(
                404, "There is no such survey", "The survey behind this link does not exist any more."
            )
        return survey, named.expires_at

    def _form(
        self,
        status: int,
        expires_at: datetime,
        rating: Rating | None,
        typed: dict[str, str],
        problem: str = "",
    ) -> HTMLResponse:
        given = rating.answer if rating is not None else None
        return self._html(
            "survey.html",
            status,
            until=_day(expires_at),
            answered=given.score if given else None,
            score=typed.get("score", given.score if given else ""),
            comment=typed.get("comment", (given.comment if given else None) or ""),
            reason=typed.get("reason", (given.reason if given else None) or ""),
            reasons=self._rules.reasons,
            comment_limit=self._rules.comment_limit,
            problem=problem,
        )

    def message(self, status: int, title: str, message: str) -> HTMLResponse:
        """A page that says what happened."""
        return self._html("message.html", status, title=title, message=message)

    def _html(self, template: str, status: int, title: str = TITLE, **values: Any) -> HTMLResponse:
        text = TEMPLATES.get_template(template).render(title=title, **values)
        return HTMLResponse(text, status_code=status)


def mount_survey_page(app: FastAPI, page: SurveyPage) -> None:
    """The routes of the survey page; `Closed` is answered with a page that says what happened."""

    @app.api_route("/s/{token}", methods=["GET", "HEAD"], include_in_schema=False)
    async def show(token: str, score: str = "", voted: str = "") -> Response:
        return await page.show(token, score, bool(voted))

    @app.post("/s/{token}", include_in_schema=False)
    async def vote(token: str, request: Request) -> Response:
        return await page.vote(token, request)

    @app.exception_handler(Closed)
    async def closed(_request: Request, error: Closed) -> Response:
        log.info("survey_link.refused", status=error.status, title=error.title)
        return page.message(error.status, error.title, error.message)


async def _read_form(request: Request, limit: int) -> dict[str, str]:
    """The form's fields, the first value of each. Closed for another type, or more than `limit` bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Closed(415, "This cannot be read", "Please use the form of the survey page.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Closed(413, "This is too long", "Please go back and shorten your comment.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Closed(400, "This cannot be read", "Please use the form of the survey page.") from None
    return {name: values[0] for name, values in fields.items()}


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
