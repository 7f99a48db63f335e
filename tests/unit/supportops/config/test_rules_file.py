"""The rules file: every mistake has a file, a line, a field and what is allowed."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from supportops.config.rules_file import ConfigError, Duration, Rules, load


class Feed(Rules):
    """One channel."""

    channel: str
    organization: str | None = None
    style: Literal["plain", "rich"] = "plain"


class Breach(Rules):
    """Warnings."""

    lead: Duration = timedelta(hours=2)


class NotifierPolicy(Rules):
    """A section."""

    fold_window: Duration = timedelta(seconds=5)
    batch: int = Field(10, ge=1, le=200)
    feeds: tuple[Feed, ...] = ()
    breach: Breach = Breach()
    names: dict[str, Feed] = Field(default_factory=dict)
    only: Feed | None = None


GOOD = """\
csat: {}
notifier:
  fold_window: 3s
  feeds:
    - channel: C1
    - channel: C2
      style: rich
  breach:
    lead: 2h
"""


def _load(tmp_path: Path, text: str) -> NotifierPolicy:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    return load(file, "notifier", NotifierPolicy)


def test_reads_a_section(tmp_path: Path) -> None:
    rules = _load(tmp_path, GOOD)
    assert rules.fold_window == timedelta(seconds=3)
    assert [feed.style for feed in rules.feeds] == ["plain", "rich"]
    assert rules.breach.lead == timedelta(hours=2)


@pytest.mark.parametrize(
    "text", ["notifier: {}", "notifier:", "a: &x {batch: 3}\nnotifier: {<<: *x, batch: 10}"]
)
def test_an_empty_section_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert _load(tmp_path, text) == NotifierPolicy()


WRONG = {
    "unit": (
        GOOD.replace("3s", "3"),
        'rules.yaml:3: notifier.fold_window: must be a number with a unit, such as "500ms"',
    ),
    "nested": (
        GOOD.replace("2h", "soon"),
        "rules.yaml:9: notifier.breach.lead: must be a number with a unit",
    ),
    "list": (
        GOOD.replace("rich", "bold"),
        "rules.yaml:7: notifier.feeds[1].style: is none of the allowed values; allowed: 'plain' or 'rich'",
    ),
    "missing key": (
        GOOD.replace("- channel: C1", "- style: rich"),
        "rules.yaml:5: notifier.feeds[0].channel: is missing",
    ),
    "misspelt key": (
        GOOD.replace("lead", "led"),
        'rules.yaml:9: notifier.breach.led: is not known; did you mean "lead"?',
    ),
    "key in a list": (
        GOOD.replace("style", "stile"),
        'rules.yaml:7: notifier.feeds[1].stile: is not known; did you mean "style"?',
    ),
    "key in a table": (
        "notifier:\n  names:\n    emea: {chanel: C1}\n",
        'rules.yaml:3: notifier.names.emea.chanel: is not known; did you mean "channel"?',
    ),
    "key in an optional": ("notifier:\n  only:\n    x: C1\n", "allowed: channel, organization, style"),
    "strange key": (
        GOOD + "  zzz: 1\n",
        "rules.yaml:10: notifier.zzz: is not known; allowed: batch, breach, feeds",
    ),
    "range": (GOOD + "  batch: 500\n", "rules.yaml:10: notifier.batch: should be less than or equal to 200"),
    "type": (GOOD + "  batch: many\n", "rules.yaml:10: notifier.batch: should be a valid integer"),
    "twice": (
        GOOD + "  fold_window: 4s\n",
        "rules.yaml:10: notifier.fold_window: is given twice, first in line 3",
    ),
    "no section": ("notifyer: {}\n", 'the section "notifier" is missing; did you mean "notifyer"?'),
    "not a mapping": ("- a\n", "rules.yaml:1: must be a mapping of sections"),
    "empty": ("", "rules.yaml:1: must be a mapping of sections"),
    "no yaml": ("a: 1\nb: [1\n", "rules.yaml:3: is not YAML"),
    "tab": ("a:\n\tb: 1\n", "rules.yaml:2: is not YAML"),
    "code": ("notifier: !!python/object/apply:os.system [ls]\n", "rules.yaml:1: is not YAML"),
    "section is a list": ("notifier: [1]\n", "rules.yaml:1: notifier: must be a mapping"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_names_place_field_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert message in str(caught.value)


def test_names_every_mistake_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, GOOD.replace("3s", "3").replace("2h", "2").replace("rich", "bold"))
    assert len(caught.value.problems) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: .*CONFIG_FILE"):
        load(tmp_path / "no.yaml", "notifier", NotifierPolicy)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "x.yaml", "notifier", NotifierPolicy)
