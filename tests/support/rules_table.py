"""Writes the table of csat's rules in docs/csat.md from their model: `python -m tests.support.rules_table`."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from csat.policy.csat import CsatPolicy
from supportops.config.durations import format_duration
from supportops.config.validation_messages import allowed_values, limits

PAGE = Path(__file__).parents[2] / "docs" / "csat.md"
BEGIN, END = "<!-- rules: begin (make generate) -->", "<!-- rules: end -->"
LONGEST = 60  # characters of a default; what is longer stands in the shipped file


def written(page: str) -> str:
    """`page` with the table as the model says it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def table() -> str:
    """One row per rule, in the order of the model."""
    rows = ["| `csat.…` | default | what it decides |", "|---|---|---|", *_rows(CsatPolicy, CsatPolicy(), "")]
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], values: BaseModel, above: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel) and above.count(".") == 0:
            yield from _rows(type(value), value, f"{above}{name}.")
        else:
            yield f"| `{above}{name}` | {_default(value)} | {_meaning(field)} |"


def _default(value: object) -> str:
    plain = format_duration(value) if isinstance(value, timedelta) else value
    if isinstance(plain, BaseModel):
        plain = plain.model_dump(mode="json", exclude_defaults=True)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=_as_json)
    return "see `config/supportops.yaml`" if len(text) > LONGEST else f"`{text}`"


def _as_json(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _meaning(field: FieldInfo) -> str:
    allowed = ", ".join(allowed_values(field.annotation)) or limits(field.metadata)
    words = f"{field.description or ''}{f' Allowed: {allowed}.' if allowed else ''}"
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
