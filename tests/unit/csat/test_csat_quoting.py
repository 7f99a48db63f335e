"""What a customer wrote is shown and does nothing: the quote and the title, as texts and as the stand-in reads them."""

import pytest

from csat.feedback.quoting import (
    LONGEST_COMMENT,
    LONGEST_TITLE,
    TRUNCATED,
    NotInert,
    cleaned,
    must_be_inert,
    quote_untrusted,
    safe_title,
)
from sandbox.gitlab.live import live_parts, live_title
from sandbox.gitlab.quick_actions import extract
from tests.support.for_each import for_each
from tests.support.hostile import ACTION, COMMENTS, TITLES, Hostile

NAMES = [each.name for each in COMMENTS]
RUNNABLE = [each for each in COMMENTS if each.sets_off and len(each.text) < 50_000]


def test_there_are_enough_of_them() -> None:
    assert len(COMMENTS) >= 40
    assert len(set(NAMES)) == len(NAMES)


@for_each(
    "text, quoted",
    [
        ("fine", "> ```text\n> fine\n> ```"),
        ("a\r\nb\rc", "> ```text\n> a\n> b\n> c\n> ```"),
        ("with ``` inside", "> ````text\n> with ``` inside\n> ````"),
        ("`````", "> ``````text\n> `````\n> ``````"),
        ("/close", "> ```text\n> /close\n> ```"),
        ("a\0b\x1b[31m\x85c", "> ```text\n> ab[31m\n> c\n> ```"),
        ("\u202etxet\u2066", "> ```text\n> txet\n> ```"),
        ("tab\tstays", "> ```text\n> tab\tstays\n> ```"),
        ("\ud83d half", "> ```text\n>  half\n> ```"),
        ("", "> ```text\n> \n> ```"),
    ],
)
def test_quotes(text: str, quoted: str) -> None:
    assert quote_untrusted(text) == quoted


@for_each("hostile", COMMENTS)
def test_every_line_is_quoted_and_within_the_limit(hostile: Hostile) -> None:
    quoted = quote_untrusted(hostile.text)
    lines = quoted.split("\n")
    assert all(line.startswith("> ") for line in lines)
    assert lines[0] == f"{lines[-1]}text"
    assert "\r" not in quoted
    assert len(quoted) <= 3 * LONGEST_COMMENT + 2 * len(lines[0]) + 100
    assert quoted.encode()


@for_each("hostile", COMMENTS)
def test_quoted_it_sets_nothing_off(hostile: Hostile) -> None:
    quoted = quote_untrusted(hostile.text)
    kept, commands = extract(quoted)
    assert commands == []
    assert kept == quoted.rstrip()
    assert not live_parts(kept)


@for_each("hostile", RUNNABLE)
def test_as_it_is_it_would_set_something_off(hostile: Hostile) -> None:
    kept, commands = extract(hostile.text)
    if hostile.sets_off == ACTION:
        assert commands
        return
    live = live_parts(kept)
    found = {"mention": live.mentions, "reference": live.references, "image": live.images, "html": live.html}
    assert found.get(hostile.sets_off.removeprefix("gitlab.")) or live.tasks


def test_long_comments_are_cut_and_say_so() -> None:
    lines = quote_untrusted("y" * (LONGEST_COMMENT + 1)).split("\n")
    assert lines[1] == "> " + "y" * LONGEST_COMMENT
    assert lines[2] == f"> {TRUNCATED}"
    assert TRUNCATED not in quote_untrusted("y" * LONGEST_COMMENT)


def test_cleaning_twice_is_cleaning_once() -> None:
    for hostile in COMMENTS:
        assert cleaned(cleaned(hostile.text)) == cleaned(hostile.text)


@for_each(
    "text, title",
    [
        ("Runners are stuck", "Runners are stuck"),
        ("  two\r\n lines\tand a tab ", "two lines and a tab"),
        ("", "CSAT feedback for ticket 12"),
        (" \n\t ", "CSAT feedback for ticket 12"),
        ("\u200b\u202e\ufeff", "CSAT feedback for ticket 12"),
        ("@all", "@\u200ball"),
        ("#1 !2 ~bug %3 &4 $5", "#\u200b1 !\u200b2 ~\u200bbug %\u200b3 &\u200b4 $\u200b5"),
        ("100 % sure! # one", "100 % sure! # one"),
        ("a/b#12", "a/b#\u200b12"),
        ("https://x.example/a", "https:\u200b//x.example/a"),
        ("[issue:1] [ok]", "[\u200bissue:1] [ok]"),
        ("/close", "/close"),
        ("word " * 60, ("word " * 51).strip()),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert safe_title(text, "12") == title


@for_each("text", [*TITLES, *(each.text for each in COMMENTS)])
def test_titles_mention_nobody_and_fit(text: str) -> None:
    title = safe_title(text, "12")
    assert 0 < len(title) <= LONGEST_TITLE
    assert "\n" not in title
    assert not live_title(title)


def test_titles_would_be_live_as_they_are() -> None:
    assert all(live_title(text) for text in ("@all look", "#1", "&#64;all", TITLES[7]))


def test_a_line_of_ours_that_is_a_command_is_a_bug() -> None:
    assert must_be_inert("fine\n > /close") == "fine\n > /close"
    for text in ("/close", "a\n/x", "a\n\r/x"):
        with pytest.raises(NotInert):
            must_be_inert(text)
