"""Files of texts: the shipped ones are whole, an organization's are checked with file and line."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from csat.policy.csat import CsatPolicy
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import SHIPPED, Texts, load_languages, shipped
from supportops.clock import ManualClock
from supportops.config.rules_file import ConfigError

STYLE = SHIPPED.parents[1] / "survey_page" / "templates" / "page.css"


def test_what_is_shipped() -> None:
    assert shipped().codes == ("de", "en")
    assert {path.stem for path in SHIPPED.iterdir()} == {"de", "en"}
    assert set(shipped().choose("de").texts.reasons) == set(CsatPolicy().reasons)


def test_german_says_everything_in_german() -> None:
    english, german = (shipped().choose(code).texts.model_dump() for code in ("en", "de"))
    assert [name for name in english if english[name] == german[name]] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: ''", "{file}:2: texts.title: must not be empty"),
        ("titel: Hi", '{file}:2: texts.titel: is not known; did you mean "title"?'),
        ("intro: Hello", "{file}:2: texts.intro: must mention exactly these: {until}"),
        ("intro: '{until} {ticket}'", "{file}:2: texts.intro: must mention exactly these: {until}"),
        ("intro: 'until {until.year}'", "{file}:2: texts.intro: must mention exactly these: {until}"),
        ("intro: 'until {until!r}'", "more than the name in its braces; allowed: {until}"),
        ("intro: 'until {until'", "has a brace too many or too few; allowed: {until}"),
        ("good: '{x}'", "{file}:2: texts.good: must mention exactly these: no braces"),
        ("mail: 'Only {good_link}'", "must mention exactly these: {bad_link}, {good_link}"),
        ("moment: 'QQQQQQQQ'", "is not a pattern for a moment"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "de.yaml"
    file.write_text(f"texts:\n  {text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_languages("en", tmp_path)
    assert said.replace("{file}", str(file)) in str(error.value)


def test_a_language_of_ones_own_must_be_whole(tmp_path: Path) -> None:
    (tmp_path / "fr.yaml").write_text("texts:\n  title: Comment était notre support ?\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_languages("en", tmp_path)
    assert (
        len(error.value.problems) == len(Texts.model_fields) - 2
    )  # all but title, and reasons, which may miss


def test_a_shipped_language_is_changed_text_by_text(tmp_path: Path) -> None:
    (tmp_path / "de.yaml").write_text(
        "texts:\n  title: Na?\n  reasons: {Some other reason: Sonst was}\n", encoding="utf-8"
    )
    german = load_languages("de", tmp_path).choose("de").texts
    assert (german.title, german.good) == ("Na?", "Gut, ich bin zufrieden")
    assert german.reasons["Some other reason"] == "Sonst was"
    assert german.reasons["My issue was not resolved"] == "Mein Anliegen wurde nicht gelöst"


def test_folders_and_languages_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"csat.page.locale: there are no texts for 'fr'; there are: de, en"
    ):
        load_languages("fr")
    with pytest.raises(ConfigError, match="is not a folder"):
        load_languages("en", tmp_path / "nowhere")
    (tmp_path / "english-texts.yaml").write_text("texts: {}\n")
    with pytest.raises(ConfigError, match="is not named like a locale"):
        load_languages("en", tmp_path)


def test_the_message_is_in_the_requesters_language(clock: ManualClock) -> None:
    tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
    text = SurveyText("https://survey.example.com", tokens)
    german, english = text.write("abc", "de-AT"), text.write("abc")
    assert german.startswith("Guten Tag,")
    assert english.startswith("Hello,")
    for written in (german, english, text.write("abc", "tlh")):
        link = f"https://survey.example.com/s/{tokens.issue('abc')}"
        assert (written.count(f"{link}?score=good"), written.count(f"{link}?score=bad")) == (1, 1)
        assert tokens.is_in(written, "abc")


def test_colours_differ_enough() -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for borders and the focus ring, in light and in dark."""
    light, dark = re.findall(r":root \{ ([^}]*)\}", STYLE.read_text(encoding="utf-8"))
    for scheme in (light, dark):
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", scheme))
        for ink, ground in (("ink", "paper"), ("ink", "tint"), ("soft", "paper"), ("problem", "paper")):
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground, scheme)
        assert contrast(colour["on-accent"], colour["accent"]) >= 4.5
        assert min(contrast(colour[line], colour["paper"]) for line in ("line", "accent", "problem")) >= 3


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, by WCAG's definition."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
