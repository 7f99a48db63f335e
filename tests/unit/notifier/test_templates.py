"""Texts of the organization's own: what a template may do, how a mistake in it is told, and that it leaks nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.feeds.render import FeedLine, Look, render
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.policy.templates import LONGEST_VALUE, rendered
from supportops.config.rules_file import ConfigError, load
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def line(text: str) -> FeedLine:
    names = dict.fromkeys(("form", "priority", "brand", "group", "plan", "region"), text)
    return FeedLine("5", AT, "open", text, text, text, text, names)


def shown(template: str, text: str = "x", **look: object) -> str:
    return render(line(text), Look("https://acme.example", template=template, **look)).text  # type: ignore[arg-type]


def test_a_template_is_the_text_and_the_link_is_ours() -> None:
    template = (
        "{% if priority == 'urgent' %}:fire: {% endif %}{{ ticket }} {{ title | upper }} for {{ plan }}"
    )
    message = render(line("urgent"), Look("https://acme.example", template=template, mention=("S12345678",)))
    link = "<https://acme.example/agent/tickets/5|Ticket #5>"
    assert message.text == f"<!subteam^S12345678> :fire: {link} URGENT for urgent"
    assert "urgent" in str(message.attachments)  # the comment, which the template does not show


def test_a_template_that_shows_the_comment_shows_it_once() -> None:
    said = FeedLine("5", AT, comment="secret-words")
    message = render(said, Look("https://acme.example", template="{{ comment }}"))
    assert "secret-words" in message.text
    assert "secret-words" not in str(message.attachments)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ titel }}", "line 1 of the template: 'titel' is no value"),
        ("a\\n{{ title", "line 2 of the template"),
        ("{{ title.__class__ }}", "line 1 of the template: only"),
        ("{{ title['__class__'] }}", "only"),
        ("{% for a in title %}{{ a }}{% endfor %}", "only"),
        ("{% filter replace('&lt;', '<') %}{{ title }}{% endfilter %}", "only"),
        ("{% set a = title %}{{ a }}", "only"),
        ("{% macro a() %}{{ title }}{% endmacro %}", "only"),
        ("{% include 'a' %}", "only"),
        ("{{ title | safe }}", "no filter 'safe'"),
        ("{{ title | attr('x') }}", "no filter 'attr'"),
        ("{{ title() }}", "only"),
        ("{{ 10 ** 9 }}", "only"),
        ("{{ title | truncate('x') }}", "cannot be filled in"),
        ("", "template"),
    ],
)
def test_a_mistake_in_a_template_has_file_and_line(tmp_path: Path, template: str, complaint: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f'notifier:\n  feeds:\n    - name: a\n      channel: C1\n      template: "{template}"\n')
    with pytest.raises(ConfigError, match=r"rules\.yaml:5: notifier\.feeds\[0\]\.template: ") as caught:
        load(path, "notifier", NotifierPolicy)
    assert complaint in str(caught.value)


TEMPLATES = (
    None,
    "{{ title }} {{ person }} {{ organization }} {{ ticket }}",
    "{{ comment }}",
    "{{ title ~ ticket ~ comment }}",
    "{{ plan | upper }} {{ region | title }} {{ title | replace('a', 'b') }} {{ comment | truncate(50) }}",
    "<https://acme.example|{{ brand }}> {{ title | default('<!here>') }}",
)


@for_each("template", TEMPLATES)
@for_each("text", HOSTILE)
def test_hostile_text_mentions_nobody_and_breaks_nothing(template: str | None, text: str) -> None:
    message = render(line(text), Look("https://acme.example", template=template, mention=("U12345678",)))
    assert dangers(message, allowed={"@U12345678"}, links={"https://acme.example"}) == []


def test_values_that_are_too_long_are_shortened_and_no_link_is_cut() -> None:
    text = shown("{{ ticket }} " + "{{ comment }} " * 9, "<&>" * 2_000, comment_length=2_900)
    assert len(text) <= 3_000
    assert text.startswith("<https://acme.example/agent/tickets/5|Ticket #5>")
    assert not text.endswith("&")


def test_a_feed_names_whom_it_calls_by_id_alone() -> None:
    assert FeedRule(name="a", channel="C1", mention=("here", "S12345678", "U1234")).mention
    for wrong in ("everyone", "<!here>", "@ada", "C12345678"):
        with pytest.raises(ValueError, match="mention"):
            FeedRule(name="a", channel="C1", mention=(wrong,))


@pytest.mark.parametrize(
    "template",
    [
        "{{ comment | replace('', '" + "y" * 600 + "') | replace('y', '" + "z" * 600 + "') }}",
        "{{ 'a' | replace('a', '" + "b" * 1_000 + "') | replace('b', 'cccccccc') }}",
    ],
)
def test_a_template_that_makes_much_of_little_stays_small(template: str) -> None:
    assert len(rendered(template, {"comment": "x" * 900}, str)) <= LONGEST_VALUE
    text = shown(
        FeedRule.model_validate({"name": "f", "channel": "C1", "template": template}).template or "",
        "x" * 900,
    )
    assert text == "<https://acme.example/agent/tickets/5|Ticket #5>"


def test_replacing_is_as_it_always_was() -> None:
    assert shown("{{ title | replace('a', 'bb') }}", "banana") == "bbbnbbnbb"
    assert shown("{{ title | replace('a', '') }}", "banana") == "bnn"
