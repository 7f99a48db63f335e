"""csat's rules: what is wrong alone or together, each with its line; and the file that is shipped."""

from pathlib import Path

import pytest

from csat.policy.csat import CsatPolicy
from supportops.config.rules_file import ConfigError, load

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "  keep_history: 20d\n",
            "2: csat.keep_history: must be longer than survey_after and link_valid_for",
        ),
        ("  link_valid_for: 5000d\n", "1: csat.keep_history: must be longer"),
        (
            "  sent_tag: asked\n  excluded_tags:\n    - spam\n    - asked\n",
            "5: csat.excluded_tags[1]: is sent_tag, which csat itself adds",
        ),
        ("  reasons:\n    - Slow\n    - Rude\n    - Slow\n", "5: csat.reasons[2]: is given twice: Slow"),
        ("  merge_tag: x\n  native_tag: x\n", "2: csat.merge_tag: is also native_tag"),
        ("  once_per: 900d\n", "2: csat.once_per: must be shorter than keep_history"),
        ("  catch_up: 20s\n", "2: csat.catch_up: must be at least 1m"),
        (
            "  too_late_after: 9h\n  quiet_hours: {starts: '22:00', ends: '08:00'}\n",
            "2: csat.too_late_after: must be longer than the quiet hours",
        ),
        (
            "  quiet_hours:\n    starts: '22:00'\n    ends: '22:00'\n",
            "2: csat.quiet_hours: starts and ends must differ",
        ),
        (
            "  reasons: [Slow, Rude]\n  feedback:\n    routes:\n      Slow: {}\n      Rudely: {}\n",
            '6: csat.feedback.routes.Rudely: is none of csat.reasons; did you mean "Rude"?',
        ),
        (
            "  native_ratings:\n    other_reason: Whatever\n",
            "3: csat.native_ratings.other_reason: is none of csat.reasons; allowed: ",
        ),
        (
            "  feedback: {tag: x}\n  excluded_tags: [x]\n",
            "3: csat.excluded_tags[0]: is feedback.tag, which csat itself adds",
        ),
        ("  survey_after: 24\n", "2: csat.survey_after: must be a number with a unit"),
        ("  sent_tag: Not A Tag\n", "2: csat.sent_tag: "),
        ("  survey_afer: 24h\n", '2: csat.survey_afer: is not known; did you mean "survey_after"?'),
        ("  comment_limit: 0\n", "2: csat.comment_limit: should be greater than or equal to 1"),
    ],
)
def test_each_mistake_has_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"csat:\n{text}")
    with pytest.raises(ConfigError) as caught:
        load(path, "csat", CsatPolicy)
    assert any(each.startswith(f"{path}:{problem}") for each in caught.value.problems), caught.value


def test_two_disagreements_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("csat:\n  keep_history: 1d\n  excluded_tags: [csat_survey_sent]\n")
    with pytest.raises(ConfigError) as caught:
        load(path, "csat", CsatPolicy)
    assert len(caught.value.problems) == 2


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    assert load(ROOT / "config" / "supportops.yaml", "csat", CsatPolicy) == CsatPolicy()
