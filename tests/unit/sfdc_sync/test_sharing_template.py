"""An issue of the template, as people fill it in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.sharing.rules.options import OPTIONS, Option
from sfdc_sync.sharing.rules.template import LONGEST, Draft, UnusableIssue, draft_of
from tests.architecture.tree import ROOT
from tests.support.for_each import for_each

TEMPLATE = (ROOT / "docs/sharing/shared_organization_request.md").read_text(encoding="utf-8")


def filled(**changes: str) -> str:
    values = {
        "organization": "https://example.zendesk.com/agent/organizations/8447346622462/tickets",
        "ticket": "https://example.zendesk.com/agent/tickets/5001",
        "option": OPTIONS[Option.SELECTED_VIEW].title,
        "people": "- rita@groablet.example\n- 8447388090602\n- rita@groablet.example",
    } | changes
    boxes = "\n".join(
        f"- [{'x' if rule.title == values['option'] else ' '}] {rule.title}" for rule in OPTIONS.values()
    )
    return (
        f"## Organization\n<!-- its address -->\n{values['organization']}\n\n## Ticket\n{values['ticket']}\n"
        f"## Option\n{boxes}\n## Selected users\n{values['people']}\n"
    )


def test_a_filled_issue_is_a_request() -> None:
    people = ("rita@groablet.example", "8447388090602")
    assert draft_of(filled()) == Draft("8447346622462", "5001", Option.SELECTED_VIEW, people)


@for_each(
    "changes",
    [
        {"people": "* [rita@groablet.example](mailto:rita@groablet.example)\n* 8447388090602"},
        {"people": "- rita@groablet\\.example\n- 8447388090602"},
        {"ticket": "\\#5001"},
        {
            "ticket": "[https://example.zendesk.com/agent/tickets/5001](https://example.zendesk.com/agent/tickets/5001)"
        },
    ],
)
def test_what_gitlabs_editor_for_rich_text_writes_is_the_same(changes: dict[str, str]) -> None:
    assert draft_of(filled(**changes)) == draft_of(filled())


@for_each("option", list(Option))
def test_the_shipped_template_can_be_filled_in_for_each_option(option: Option) -> None:
    title = OPTIONS[option].title
    assert f"- [ ] {title}\n" in TEMPLATE
    issue = TEMPLATE.replace(f"- [ ] {title}\n", f"- [X] {title}\n")
    issue = issue.replace("## Organization\n", "## Organization\n\n4112492\n")
    issue = issue.replace("## Ticket\n", "## Ticket\n\n#5001\n")
    assert draft_of(issue) == Draft("4112492", "5001", option)


def test_the_template_as_it_is_shipped_names_what_is_to_be_filled_in() -> None:
    with pytest.raises(UnusableIssue) as error:
        draft_of(TEMPLATE)
    assert [mistake.split(":")[0] for mistake in error.value.mistakes] == [
        'the section "Organization" is empty',
        'the section "Ticket" is empty',
        'in the section "Option" 0 boxes are ticked',
    ]


@for_each(
    "changes, mistake",
    [
        ({"organization": "Groablet"}, "no number"),
        ({"organization": "1\n2"}, "has 2 lines"),
        ({"organization": "https://x.example/organizations/12x"}, "no number"),
        ({"ticket": "https://x.example/organizations/12"}, "no number"),
        ({"ticket": "1" * 21}, "no number"),
        ({"people": "Rita\n- sam@groablet.example"}, "line 1"),
        ({"people": "a@b@c"}, "line 1"),
        ({"people": "\n".join(map(str, range(201)))}, "at most 200"),
        ({"option": "something else"}, "0 boxes"),
    ],
)
def test_a_mistake_is_named_with_its_section(changes: dict[str, str], mistake: str) -> None:
    with pytest.raises(UnusableIssue, match=mistake):
        draft_of(filled(**changes))


def test_two_ticked_boxes_are_no_choice_and_a_reworded_one_is_none() -> None:
    with pytest.raises(UnusableIssue, match="2 boxes"):
        draft_of(filled().replace("[ ]", "[x]", 1))
    with pytest.raises(UnusableIssue, match="none of the five"):
        draft_of(filled().replace("Only selected users view all", "Only some users view all"))


def test_what_stands_in_a_comment_is_not_read() -> None:
    hidden = filled(people="<!-- - mallory@evil.example\n-->")
    assert draft_of(hidden).selected == ()
    assert draft_of(filled() + "<!-- never closed\n- mallory@evil.example").selected[0].startswith("rita")


@given(st.text(alphabet="#-[]xX <>!\n/:@a1 Organization", max_size=400))
def test_text_that_is_no_issue_names_its_mistakes(text: str) -> None:
    with pytest.raises(UnusableIssue) as error:
        draft_of(text)  # a ticked box of the five cannot be written with these characters
    assert error.value.mistakes


@for_each("part", ["<!--", "# ", "- [x] ", "<!-- -->", "@"])
def test_a_hostile_issue_is_read_in_no_time(part: str) -> None:
    with pytest.raises(UnusableIssue):
        draft_of(part * (LONGEST // len(part)))
