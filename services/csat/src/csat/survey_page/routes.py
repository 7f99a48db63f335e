"""The page behind a survey link: GET shows it, POST votes or says that its reader wants no more surveys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from csat.policy.csat import CsatPolicy
from csat.ratings.answer import BadAnswer, clean, parse_answer
from csat.ratings.repository import Rating, rating_of_ticket
from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import Language, Languages, shipped
from csat.survey_page.errors import Refused
from csat.survey_page.form import read_survey_form, wish_in
from csat.survey_page.open_link import Opened, open_link, read_link
from csat.survey_page.opt_out import Wish, has_opted_out, opt_in, opt_out
from csat.survey_page.rendering import explanation, page
from csat.survey_page.vote import hold, vote
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Metrics, Recorder
from supportops.store import Store
from supportops.web.edge import address_of
from supportops.web.throttle import Throttle

log = get_logger("csat.web")


@dataclass(frozen=True)
class Shown:
    """An opened link with what its page shows: the answer so far, and whether its requester wants no more surveys."""

    opened: Opened
    language: Language
    rating: Rating | None
    opted_out: bool

    @property
    def until(self) -> str:
        """The last moment of the link, in words."""
        return self.language.moment(self.opened.expires_at)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a form: the field that its reader should look at ("" for none), and a sentence."""

    about: str
    words: str
    status: int = 422
    headers: Mapping[str, str] = field(default_factory=dict)


class SurveyPage:
    """The page behind a survey link, from token to HTML. `languages` and `metrics` are the process's own."""

    def __init__(
        self,
        store: Store,
        tokens: SurveyTokens,
        policy: CsatPolicy,
        languages: Languages | None = None,
        metrics: Recorder | None = None,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._policy = policy
        self._languages = languages or shipped()
        self._metrics = metrics or Metrics()
        pace = policy.page
        self._pace = Throttle(store, "survey", pace.posts_per_minute_and_link, pace.posts_per_minute)

    async def show(self, token: str, request: Request) -> HTMLResponse:
        """The form with the answer so far, or the thanks for it; `score` in the address pre-selects. Never votes."""
        shown = await self._open(token, request)
        if "voted" in request.query_params and shown.rating is not None:
            return self._page("thanks.html", 200, shown, answered=shown.rating.answer.score)
        score = request.query_params.get("score", "")
        return self._form(shown, {"score": score} if score in ("good", "bad") else {})

    async def post(self, token: str, request: Request) -> Response:
        """Take what the form says: an answer, or a wish about future surveys."""
        shown = await self._open(token, request)
        # A character takes up to 12 bytes: four of UTF-8, three for each as %XX.
        fields = await read_survey_form(request, limit=12 * self._policy.comment_limit + 4096)
        if wait := await self._pace.wait_before(shown.opened.survey.survey_id):
            self._metrics.count("survey_links_refused", why="too_often")
            log.info("survey_page.too_often", ticket_id=shown.opened.survey.ticket_id, wait_seconds=wait)
            words = shown.language.texts.problem_too_often.format(seconds=wait)
            return self._form(shown, fields, Problem("", words, 429, {"Retry-After": str(wait)}))
        wish = wish_in(fields)
        if wish is not None:
            return await self._wish(shown, wish)
        return await self._vote(shown, fields, from_agents=self._is_of_agents(request))

    def explain(self, error: Refused, request: Request) -> HTMLResponse:
        """The page that says why there is nothing to answer."""
        self._metrics.count("survey_links_refused", why=error.why)
        log.info("survey_link.refused", status=error.status, why=error.why)
        return explanation(error.status, self._language(None, request), error.why)

    async def _open(self, token: str, request: Request) -> Shown:
        named = read_link(self._tokens, token)
        async with self._store.reading() as conn:
            opened = await open_link(conn, named)
            survey = opened.survey
            rating = await rating_of_ticket(conn, survey.ticket_id)
            requester = survey.requester_id
            stopped = requester is not None and await has_opted_out(conn, requester)
        return Shown(opened, self._language(survey.locale, request), rating, stopped)

    def _language(self, locale: str | None, request: Request) -> Language:
        return self._languages.choose(locale, request.headers.get("accept-language", ""))

    def _is_of_agents(self, request: Request) -> bool:
        """Whether it comes from a network that the organization has named as its agents'."""
        address = address_of(request)
        return address is not None and any(address in network for network in self._policy.page.agent_networks)

    async def _vote(self, shown: Shown, fields: Mapping[str, str], *, from_agents: bool) -> Response:
        limit, reasons = self._policy.comment_limit, self._policy.reasons
        said = fields.get("comment", "")
        try:
            answer = parse_answer(
                fields.get("score", ""), said, fields.get("reason", ""), limit=limit, reasons=reasons
            )
            if self._policy.page.confirm and fields.get("confirm") != "yes":
                raise BadAnswer("confirm", "the box that a person ticks is not ticked")
        except BadAnswer as error:
            return self._form(shown, fields, self._problem(shown.language, error.field, said))
        async with self._store.transaction() as tx:
            # The page does not show a saved comment, so an empty field says nothing about it: it stays, unless removed.
            keep = "comment_drop" not in fields
            rating = await vote(tx, shown.opened.survey, answer, from_agents=from_agents, keep_comment=keep)
        self._metrics.count("survey_votes", score=answer.score)
        about = {"ticket_id": rating.ticket_id, "score": answer.score, "revision": rating.revision}
        log.info("vote.taken", from_agents=from_agents, **about)
        return RedirectResponse("?voted=1", status_code=303)

    async def _wish(self, shown: Shown, wish: Wish) -> Response:
        survey = shown.opened.survey
        if survey.requester_id is None:  # the page does not offer it: there is nobody to remember it for
            raise Refused(400, "unreadable")
        change = opt_out if wish == "stop" else opt_in
        async with self._store.transaction() as tx:
            await hold(tx, survey)  # nobody who was erased meanwhile is written down again
            changed = await change(tx, survey.requester_id)
        if changed:
            self._metrics.count("survey_opt_outs", wish=wish)
            log.info("requester.asking", wish=wish, ticket_id=survey.ticket_id)
        return RedirectResponse("?" if shown.rating is None else "?voted=1", status_code=303)

    def _problem(self, language: Language, name: str, comment: str) -> Problem:
        text = getattr(language.texts, f"problem_{name}")
        length, limit = language.number(len(clean(comment))), language.number(self._policy.comment_limit)
        return Problem(name, text.format(length=length, limit=limit))

    def _form(self, shown: Shown, typed: Mapping[str, str], problem: Problem | None = None) -> HTMLResponse:
        given = shown.rating.answer if shown.rating is not None else None
        answer = {
            "score": given.score if given else "",
            "comment": "",  # what was said before is not for everybody who holds the link
            "reason": (given.reason if given else None) or "",
        }
        status = problem.status if problem else 200
        reply = self._page(
            "survey.html",
            status,
            shown,
            answered=given.score if given else None,
            typed=answer | {name: typed[name] for name in answer if name in typed},
            reasons={each: shown.language.texts.reasons.get(each, each) for each in self._policy.reasons},
            comment_limit=self._policy.comment_limit,
            comment_saved=bool(given and given.comment),
            confirm=self._policy.page.confirm,
            problem=problem,
        )
        reply.headers.update(problem.headers if problem else {})
        return reply

    def _page(self, template: str, status: int, shown: Shown, **values: object) -> HTMLResponse:
        return page(
            template,
            status,
            shown.language,
            until=shown.until,
            may_opt_out=shown.opened.survey.requester_id is not None,
            opted_out=shown.opted_out,
            **values,
        )


def mount_survey_page(app: FastAPI, survey_page: SurveyPage) -> None:
    """The routes of the survey page; `Refused` is answered with a page that says why."""

    @app.api_route("/s/{token}", methods=["GET", "HEAD"], include_in_schema=False)
    async def show(token: str, request: Request) -> Response:
        return await survey_page.show(token, request)

    @app.post("/s/{token}", include_in_schema=False)
    async def post(token: str, request: Request) -> Response:
        return await survey_page.post(token, request)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return survey_page.explain(error, request)
