"""The ladder of brokers and databases takes the first rung that is there, and CI refuses the last."""

from collections.abc import Callable

from tests.support import infra
from tests.support.for_each import for_each
from tests.support.infra import Choice
from tests.support.servers import Unavailable

Check = Callable[[infra.Kind, infra.Rung], None]


def having(*there: infra.Rung) -> Check:
    """A look at the machine that finds these rungs only."""

    def check(_kind: infra.Kind, rung: infra.Rung) -> None:
        if rung not in there:
            raise Unavailable(f"no {rung} here")

    return check


@for_each(
    "environment, there, rung",
    [
        ({"SUPPORTOPS_TEST_KAFKA": "127.0.0.1:9"}, (), "environment"),
        ({}, ("containers", "local"), "containers"),
        ({}, ("local",), "local"),
        ({}, (), "embedded"),
        ({"SUPPORTOPS_TEST_KAFKA": ""}, (), "embedded"),
    ],
)
def test_the_first_rung_that_is_there_is_taken(
    environment: dict[str, str], there: tuple[infra.Rung, ...], rung: infra.Rung
) -> None:
    assert infra.choose("kafka", environment, having(*there)).rung == rung


def test_without_a_real_database_there_is_none() -> None:
    choice = infra.choose("postgres", {}, having())
    assert choice.rung == "none"
    assert "SQLite only" in choice.words()


def test_ci_refuses_the_last_rung_and_says_what_was_missing() -> None:
    choice = infra.choose("kafka", {}, having())
    problem = infra.demand(choice, ci=True)
    assert "CI=true demands a real kafka" in problem
    assert "no containers here" in problem
    assert "no local here" in problem


@for_each("rung", ["environment", "containers", "local"])
def test_ci_takes_every_real_rung(rung: infra.Rung) -> None:
    assert infra.demand(Choice("kafka", rung), ci=True) == ""


def test_elsewhere_the_embedded_broker_will_do() -> None:
    assert infra.demand(Choice("kafka", "embedded"), ci=False) == ""
