"""The numbers' API keeps what /api/openapi.json promises, for requests that fit it and for those that do not."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from csat.kpi.filters import Dimension
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from supportops.clock import ManualClock
from tests.integration.csat.assertions import note, tallied
from tests.integration.csat.http_app import API_TOKEN, csat_app
from tests.support.engine import store_on
from tests.support.examples import examples

if TYPE_CHECKING:  # it takes seconds to import: by the worker that needs it
    from schemathesis import Case, Response
    from schemathesis.specs.openapi.schemas import OpenApiSchema

pytestmark = pytest.mark.xdist_group("schemathesis")  # its import takes seconds: one worker of pytest-xdist
EXAMPLES = examples(40)
MODES = ("positive", "negative")
PATHS = ("/api/kpi", "/api/ratings", "/api/surveys")


HOSTILE = (
    *("\x00", "a\x00b", "%00", "' OR 1=1 --", "x" * 5_000),
    *("0001-01-01", "9999-12-31", "10000-01-01", "-0001-01-01", "2026-02-30", "2026-11-02T25:00:00Z"),
    *("9" * 400, "-1", "1e999", "NaN", "2147483648", "9223372036854775808"),
    "MDAwMS0wMS0wMVQwMDowMDowMHwx",  # a cursor of the year 1
)


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """One database is enough for a contract of HTTP, unless a test says that it makes a difference."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def api(new_database: Callable[[str], str], clock: ManualClock) -> Iterator["OpenApiSchema"]:
    """The schema of the real application, with a few tickets behind it."""
    import schemathesis

    url = new_database("csat")

    async def fill() -> None:
        async with store_on(url, clock) as store:
            for number in range(3):
                await note(store, str(number), solved_at=clock.now() - timedelta(days=number), plan="Premium")
            await tallied(store, UTC)

    asyncio.run(fill())
    opened = store_on(url, clock)
    with asyncio.Runner() as runner:
        store = runner.run(opened.__aenter__())
        tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
        app = csat_app(store, tokens, CsatPolicy())
        yield schemathesis.openapi.from_asgi("/api/openapi.json", app)
        runner.run(opened.__aexit__(None, None, None))


def is_text_by_now(case: "Case[Any]") -> bool:
    """Whether a filter, which takes any text, was given a value of another type: in an address `false` is a text."""
    return any(not isinstance((case.query or {}).get(name, ""), str) for name in get_args(Dimension))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", MODES)
def test_it_is_as_described(api: "OpenApiSchema", path: str, mode: str) -> None:
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi.checks import (
        ignored_auth,
        negative_data_rejection,
        positive_data_acceptance,
    )

    operation = api[path]["GET"]

    @seed(17)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode(mode)))
    def call(case: "Case[Any]") -> None:
        response = case.call(headers={"Authorization": f"Bearer {API_TOKEN}"})
        # Wrong tokens are held up after a few: tests/contract/web shows their 401 and their 429.
        excluded = [ignored_auth, *[positive_data_acceptance] * is_beyond(response)]
        excluded += [negative_data_rejection] * is_text_by_now(case)
        case.validate_response(response, excluded_checks=excluded)

    call()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)  # it refuses what SQLite stores
def test_nuls_and_moments_out_of_range_are_refused_as_described(api: "OpenApiSchema", path: str) -> None:
    """Each hostile value in each parameter: never a 500, and the database says nothing of it."""
    from schemathesis.specs.openapi.checks import (
        ignored_auth,
        positive_data_acceptance,
    )

    operation = api[path]["GET"]
    names = [parameter.name for parameter in operation.query]
    assert len(names) > 2
    for value in HOSTILE:
        taken = names
        while (
            taken
        ):  # what refused it is left out the next time, so that the others let it through to the database
            case = operation.Case(query=dict.fromkeys(taken, value))
            response = case.call(headers={"Authorization": f"Bearer {API_TOKEN}"})
            assert response.status_code in (200, 400, 422), (taken, value, response.text)
            case.validate_response(response, excluded_checks=[ignored_auth, positive_data_acceptance])
            if response.status_code == 200:
                break
            refused = refused_by(response)
            assert refused <= set(taken), (taken, value, response.text)
            taken = [name for name in taken if name not in (refused or taken)]


def refused_by(response: "Response") -> set[str]:
    """The parameters that an answer complains of; none where the address as a whole is refused."""
    return (
        {problem["loc"][-1] for problem in response.json()["detail"]}
        if response.status_code == 422
        else set()
    )


def is_beyond(response: "Response") -> bool:
    """Whether it was refused for what a schema cannot say: which day is before which, which cursors are ours."""
    if response.status_code != 422:
        return False
    problems = response.json()["detail"]
    return {problem["type"] for problem in problems} == {"value_error"} and {
        problem["loc"][-1] for problem in problems
    } <= {"since", "until", "cursor"}
