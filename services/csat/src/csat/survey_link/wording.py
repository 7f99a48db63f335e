"""What a text of a language file must look like."""

from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Annotated, Any

from babel.dates import format_datetime
from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, init=False)
class Saying:
    """A text that mentions each of `names` in braces, and nothing else: nobody may lose the link by a slip."""

    names: frozenset[str]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", frozenset(names))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, text: str) -> str:
        """`text` as it is. ValueError says which braces are wrong."""
        wanted = ", ".join(f"{{{name}}}" for name in sorted(self.names)) or "no braces"
        if not text.strip():
            raise ValueError("must not be empty")
        try:
            found = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            raise ValueError(f"has a brace too many or too few; allowed: {wanted}") from error
        if any(spec or conversion for _, spec, conversion in found):
            raise ValueError(f"has a name with more than the name in its braces; allowed: {wanted}")
        if {name for name, _, _ in found} != self.names or (not self.names and "{" in text):
            raise ValueError(f"must mention exactly these: {wanted}")
        return text


def _is_pattern(pattern: str) -> str:
    try:
        format_datetime(datetime(2026, 1, 31, tzinfo=UTC), pattern)
    except (KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"is not a pattern for a moment, such as d MMMM y, HH:mm 'UTC' ({error})") from error
    return pattern


Plain = Annotated[str, Saying()]
MomentPattern = Annotated[str, AfterValidator(_is_pattern)]
