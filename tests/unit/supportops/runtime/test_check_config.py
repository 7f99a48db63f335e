"""`check-config`: all that is wrong at once, with file and line; nothing is touched."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from pydantic import Field, model_validator
from typer.testing import CliRunner

from supportops.config import ServiceSettings
from supportops.config.rules_file import (
    Duration,
    Mistakes,
    Place,
    Rules,
    Section,
    mistakes_in,
    parse_duration,
)
from supportops.runtime.cli import Service, build_app


class SurveyPagePolicy(Rules):
    locale: str = "en"


class ShopRules(Rules):
    """A section with values that must agree."""

    opens: int = Field(9, ge=0, le=24)
    closes: int = Field(17, ge=0, le=24)
    pause: Duration = parse_duration("30m")
    page: SurveyPagePolicy = SurveyPagePolicy()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        wrong: dict[Place, str] = {}
        if self.closes < self.opens:
            wrong["closes",] = "is before opens"
        if self.page.locale == "xx":
            wrong["page", "locale"] = "has no texts; allowed: en"
        if wrong:
            raise Mistakes(wrong)
        return self


def no_such_language(rules: ShopRules, path: Path) -> None:
    if rules.page.locale == "yy":
        raise mistakes_in(path, "shop", {("page", "locale"): "its file is missing"})


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`shop check-config ARGUMENTS` with this file: exit code, stdout, stderr."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///shop.db")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    path = tmp_path / "rules.yaml"
    monkeypatch.setenv("CONFIG_FILE", str(path))
    service = Service(
        name="shop",
        about="Sells.",
        package="shop",
        settings=ServiceSettings,
        policy=lambda: Section("shop", ShopRules, also=no_such_language),
    )

    def run(text: str, *arguments: str) -> tuple[int, str, str]:
        path.write_text(text)
        result = CliRunner().invoke(build_app(service), ["check-config", *arguments])
        return result.exit_code, result.stdout, result.stderr.replace(str(path), "FILE")

    return run


def test_a_good_file_is_valid_and_shown_on_demand(check: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = check("shop: {opens: 8}\n", "--show")
    assert code == 0
    assert {"opens\t8", "closes\t17", "pause\t30m", "page.locale\ten"} <= set(out.splitlines())
    assert "shop: valid: " in out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shop:\n  opens: 25\n", "FILE:2: shop.opens: should be less than or equal to 24"),
        ("shop:\n  opems: 9\n", 'FILE:2: shop.opems: is not known; did you mean "opens"?'),
        ("shop:\n  pause: 30\n", "FILE:2: shop.pause: must be a number with a unit"),
        ("shop:\n  opens: 18\n  closes: 9\n", "FILE:3: shop.closes: is before opens"),
        ("shop:\n\n  page:\n    locale: xx\n", "FILE:4: shop.page.locale: has no texts; allowed: en"),
        ("shop:\n\n  page:\n    locale: yy\n", "FILE:4: shop.page.locale: its file is missing"),
        ("shop:\n  opens: 18\n", "FILE:1: shop.closes: is before opens"),
        ("shops: {}\n", 'FILE:1: the section "shop" is missing; did you mean "shops"?'),
        ("shop: [\n", "FILE:2: is not YAML"),
        ("shop:\n  opens: 8\n  opens: 9\n", "FILE:3: shop.opens: is given twice, first in line 2"),
    ],
)
def test_each_mistake_has_its_line(
    check: Callable[..., tuple[int, str, str]], text: str, problem: str
) -> None:
    code, _, err = check(text)
    assert code == 2
    assert problem in err


def test_all_problems_are_told_at_once(
    check: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    _, _, err = check("shop:\n  opens: 18\n  closes: 9\n  page: {locale: xx}\n")
    assert "3 to put right" in err
    assert all(part in err for part in ("DATABASE_URL", "FILE:3: shop.closes", "FILE:4: shop.page.locale"))


def test_a_named_file_needs_no_variables(
    check: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    other = tmp_path / "new.yaml"
    other.write_text("shop: {opens: x}\n")
    code, out, _ = check("shop: {}\n", str(other), "--json")
    assert code == 2
    told = json.loads(out)
    assert (told["valid"], len(told["problems"])) == (False, 1)
    assert f"{other}:1: shop.opens: should be a valid integer" in told["problems"][0]
