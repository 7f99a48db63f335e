"""What the survey page and the message that asks say: a file per language, beside this module in `texts/`.

A third language is one more file, named by its locale (`fr.yaml`, `pt-BR.yaml`). An organization puts its own files
into a folder (`csat.page.texts_folder`): one of a shipped language changes the texts that it names, one of another
language must hold them all. Files are checked like the rules: every mistake with file, line and text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from babel import Locale, UnknownLocaleError
from babel.core import negotiate_locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from pydantic import Field, create_model

from csat.survey_link.wording import MomentPattern, Plain, Saying
from supportops.config.rules_file import ConfigError, Rules, load

SHIPPED = Path(__file__).parent / "texts"
SECTION = "texts"


class Texts(Rules):
    """Every text of one language. `Saying(...)` names what a text must mention, as {name}."""

    moment: MomentPattern
    title: Plain
    intro: Annotated[str, Saying("until")]
    answered_good: Annotated[str, Saying("until")]
    answered_bad: Annotated[str, Saying("until")]
    question: Plain
    good: Plain
    bad: Plain
    reason: Plain
    no_reason: Plain
    comment: Plain
    comment_hint: Annotated[str, Saying("limit")]
    comment_saved: Plain
    comment_drop: Plain
    confirm: Plain
    problem_confirm: Plain
    send: Plain
    change: Plain
    reasons: dict[str, Plain] = Field(default_factory=dict)
    problem: Plain
    problem_score: Plain
    problem_reason: Plain
    problem_comment: Annotated[str, Saying("length", "limit")]
    problem_too_often: Annotated[str, Saying("seconds")]
    thanks: Plain
    recorded_good: Plain
    recorded_bad: Plain
    recorded_until: Annotated[str, Saying("until")]
    future: Plain
    stop_text: Plain
    stop: Plain
    stopped_text: Plain
    resume: Plain
    expired: Plain
    expired_text: Plain
    tampered: Plain
    tampered_text: Plain
    unknown: Plain
    unknown_text: Plain
    superseded: Plain
    superseded_text: Plain
    unreadable: Plain
    unreadable_text: Plain
    too_long: Plain
    too_long_text: Plain
    away: Plain
    away_text: Plain
    mail: Annotated[str, Saying("good_link", "bad_link")]


@dataclass(frozen=True)
class Language:
    """One language: `code` as HTML wants it ("de", "pt-BR"), and its texts."""

    code: str
    texts: Texts

    @property
    def direction(self) -> str:
        """How it is written: "ltr" or "rtl"."""
        return str(self._locale.text_direction)

    def moment(self, moment: datetime) -> str:
        """A moment in words, in UTC."""
        return format_datetime(moment, self.texts.moment, tzinfo=UTC, locale=self._locale)

    def number(self, number: int) -> str:
        """A number with the language's separators."""
        return format_decimal(number, locale=self._locale)

    @property
    def _locale(self) -> Locale:
        return Locale.parse(self.code, sep="-")


class Languages:
    """The languages there are; whoever wants another one gets the default."""

    def __init__(self, texts: Mapping[str, Texts], default: str) -> None:
        self._known = {code: Language(code, given) for code, given in texts.items()}
        self._default = self._known[default]

    @property
    def codes(self) -> tuple[str, ...]:
        """The locales that there are texts for."""
        return tuple(sorted(self._known))

    def choose(self, locale: str | None, accepted: str = "") -> Language:
        """The language of `locale` (Zendesk's name of it), else the first of an Accept-Language header that we have.

        What comes in only selects among ours: it is never used itself.
        """
        wanted = [*([locale] if locale else []), *_accepted(accepted)]
        code = negotiate_locale((each.replace("_", "-") for each in wanted), self.codes, sep="-")
        by_lower = {known.lower(): language for known, language in self._known.items()}
        return by_lower.get((code or "").lower(), self._default)


@cache
def shipped() -> Languages:
    """English and German as they are shipped, English first."""
    return load_languages("en")


def load_languages(default: str, folder: Path | None = None) -> Languages:
    """The shipped languages, with the organization's texts of `folder` laid over. ConfigError names mistakes."""
    texts = {path.stem: load(path, SECTION, Texts) for path in _files(SHIPPED)}
    for path in _files(folder) if folder is not None else ():
        base = texts.get(path.stem)
        texts[path.stem] = load(path, SECTION, Texts) if base is None else _laid_over(base, path)
    if default not in texts:
        raise ConfigError(
            [f"csat.page.locale: there are no texts for {default!r}; there are: {', '.join(sorted(texts))}"]
        )
    return Languages(texts, default)


def _files(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise ConfigError([f"csat.page.texts_folder: {folder} is not a folder"])
    for path in sorted(folder.glob("*.yaml")):
        try:
            Locale.parse(path.stem, sep="-")
        except (ValueError, UnknownLocaleError):
            raise ConfigError(
                [f"{path}: is not named like a locale, such as fr.yaml or pt-BR.yaml"]
            ) from None
        yield path


def _laid_over(base: Texts, path: Path) -> Texts:
    given = load(path, SECTION, _some_texts()).model_dump(exclude_none=True)
    given["reasons"] = base.reasons | given.get("reasons", {})
    return base.model_copy(update=given)


@cache
def _some_texts() -> type[Rules]:
    """Like `Texts`, but none of them has to be there."""
    hints = get_type_hints(Texts, include_extras=True)
    fields: dict[str, Any] = {name: (hints[name] | None, None) for name in Texts.model_fields}
    return create_model("SomeTexts", __base__=Rules, **fields)


def _accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4)."""
    weighted = []
    for part in header[:500].split(","):
        name, _, weight = part.partition(";")
        quality = _quality(weight)
        if name.strip() and quality > 0:
            weighted.append((quality, name.strip()))
    return [name for _, name in sorted(weighted, key=lambda each: -each[0])]


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
