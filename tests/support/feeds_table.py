"""Writes the tables of the shipped feeds and breach notices in docs/rules.md: `python -m tests.support.feeds_table`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from notifier.policy.notifier import NotifierPolicy
from supportops.config.rules_file import load

ROOT = Path(__file__).parents[2]
PAGE, SHIPPED = ROOT / "docs" / "rules.md", ROOT / "config" / "supportops.yaml"
BEGIN, END = "<!-- feeds: begin (make generate) -->", "<!-- feeds: end -->"
_ELSEWHERE = ("name", "channel", "kinds")  # columns of their own


def written(page: str) -> str:
    """`page` with the tables as the shipped file says them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(load(SHIPPED, 'notifier', NotifierPolicy))}\n{END}{after}"


def tables(rules: NotifierPolicy) -> str:
    """A row for each feed and each breach notice, in the order of the file."""
    words = ", ".join(f"`{word}`" for word in rules.never_forms) or "nothing"
    feeds = ["| feed | channel | what happened | conditions and looks |", "|---|---|---|---|"]
    for feed in rules.feeds:
        kinds, values = ", ".join(feed.kinds), feed.model_dump(mode="json", exclude_defaults=True)
        feeds.append(f"| `{feed.name}` | `{feed.channel}` | {kinds} | {_said(values)} |")
    notices = ["| breach notice | channel | steps | conditions and looks |", "|---|---|---|---|"]
    for rule in rules.breaches.rules:
        values = rule.model_dump(mode="json", exclude_defaults=True, exclude={"steps"})
        steps = ", ".join(step.name for step in rule.steps)
        notices.append(f"| {rule.name} | `{rule.channel}` | {steps} | {_said(values)} |")
    never = f"In no feed that is not marked for it: tickets whose form's name contains {words}.\n"
    return "\n".join([*feeds, "", never, *notices]) + "\n"


def _said(values: dict[str, Any]) -> str:
    return "<br>".join(f"{name}: {_plain(value)}" for name, value in values.items() if name not in _ELSEWHERE)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(_parts(value))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("|", "\\|") if "{" not in text else f"`{text}`".replace("|", "\\|")


def _parts(value: dict[str, Any]) -> Iterator[str]:
    for name, inner in value.items():
        yield f"{name} {_plain(inner)}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
