"""Joiners and leavers of an option in force, as tables; and issues as they are handed over."""

import orjson
import pytest

from sfdc_sync.sharing.rules.access import Member, Situation
from sfdc_sync.sharing.rules.following import followed, unfollowed
from sfdc_sync.sharing.rules.issue import Reference, checked, read, reference_of
from sfdc_sync.sharing.rules.options import OPTIONS, Option, Sharing, SharingState
from sfdc_sync.sharing.rules.template import Draft, UnusableIssue
from tests.support.for_each import for_each

NOTHING = Sharing(False, False)


def state(**members: str | None) -> SharingState:
    return SharingState(NOTHING, members)


def situation(**members: str | None) -> Situation:
    people = tuple(Member(name, name, restriction=level) for name, level in members.items())
    return Situation("1", "Groablet", NOTHING, people)


@for_each(
    "option, target, now, gone, elsewhere, written",
    [
        (Option.OWN_TICKETS, state(a="requested"), situation(a="requested", b="organization"), {}, [], "b"),
        (Option.OWN_TICKETS, state(a="requested"), situation(a="requested", b="requested"), {}, [], ""),
        (
            Option.OWN_TICKETS,
            state(a="requested"),
            situation(a="organization"),
            {},
            [],
            "",
        ),  # drift, told apart
        (Option.SELECTED_VIEW, state(a="organization"), situation(), {"a": "organization"}, [], "a"),
        (Option.SELECTED_VIEW, state(a="organization"), situation(), {"a": "organization"}, ["a"], ""),
        (Option.SELECTED_VIEW, state(a="organization"), situation(), {"a": "requested"}, [], ""),
        (Option.SELECTED_VIEW, state(a="organization"), situation(), {}, [], ""),  # gone for good
        (Option.OWN_TICKETS, state(a="requested"), situation(), {"a": "organization"}, [], ""),
        (Option.ALL_VIEW, state(), situation(b="organization"), {}, ["b"], ""),
        (Option.ALL_VIEW, state(), situation(b="organization"), {}, [], "b"),
    ],
)
def test_who_is_written_when_people_come_and_go(
    option: Option,
    target: SharingState,
    now: Situation,
    gone: dict[str, str | None],
    elsewhere: list[str],
    written: str,
) -> None:
    found = followed(option, target, target, now, gone, elsewhere)
    assert found.levels == dict.fromkeys(written, "requested")


def test_what_a_joiner_had_before_is_kept_also_by_a_second_look() -> None:
    before, target = state(a="organization"), state(a="requested")
    first = followed(Option.OWN_TICKETS, before, target, situation(a="requested", b="organization"), {}, [])
    assert first.before.members == {"a": "organization", "b": "organization"}
    died = followed(Option.OWN_TICKETS, first.before, target, situation(a="requested", b="requested"), {}, [])
    assert died.before == first.before
    assert died.target.members == {"a": "requested", "b": "requested"}
    left = followed(Option.OWN_TICKETS, died.before, died.target, situation(b="requested"), {}, [])
    assert (left.left, left.before.members) == (("a",), {"b": "organization"})


def test_where_nothing_is_followed_who_came_and_went_is_named() -> None:
    found = unfollowed(state(a="requested", b="requested"), situation(b="requested", c="organization"))
    assert [(each.subject, each.found) for each in found] == [("c", "joined"), ("a", "left")]


DESCRIPTION = (
    f"## Organization\n\n1\n\n## Ticket\n\n2\n\n## Option\n\n- [x] {OPTIONS[Option.ALL_VIEW].title}\n"
)
DRAFT = Draft("1", "2", Option.ALL_VIEW)


def api(**changes: object) -> bytes:
    issue = {
        "description": DESCRIPTION,
        "author": {"username": "carla"},
        "web_url": "https://gitlab.example/i/1",
    }
    return orjson.dumps(issue | changes)


def test_an_issue_of_the_api_has_an_author_whoever_hands_it_over() -> None:
    found = read(api(), by="ben")
    assert (found.draft, found.author, found.address) == (DRAFT, "carla", "https://gitlab.example/i/1")
    assert read(api(web_url="javascript:alert(1)")).address == ""


def test_a_description_alone_needs_the_name_of_who_asks() -> None:
    assert read(DESCRIPTION.encode(), by="ben").author == "ben"
    with pytest.raises(UnusableIssue, match="give --by"):
        read(DESCRIPTION.encode())


@for_each(
    "raw, why",
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{oops", "cannot be read"),
        (b'{"description": 5, "author": {"username": "x"}}', "no issue of GitLab"),
        (api(author="carla"), "no issue of GitLab"),
        (api(author={"username": " "}), "no issue of GitLab"),
        (api(description="hello"), "is empty"),
    ],
)
def test_what_is_no_issue_is_said_to_be_none(raw: bytes, why: str) -> None:
    with pytest.raises(UnusableIssue, match=why):
        read(raw, by="ben")


@for_each(
    "draft, why",
    [
        (DRAFT, ""),
        (Draft("1", "2", Option.SELECTED_VIEW, ("3",)), ""),
        (Draft("1", "2", Option.SELECTED_VIEW, tuple(map(str, range(201)))), "at most 200 selected users"),
        (Draft("x", "2", Option.ALL_VIEW), "organization is named"),
        (Draft("1", "", Option.ALL_VIEW), "ticket is named"),
        (Draft("1", "2", Option.SELECTED_VIEW), "needs selected users"),
        (Draft("1", "2", Option.ALL_VIEW, ("3",)), "takes no selected users"),
        (Draft("1", "2", Option.SELECTED_VIEW, ("a" * 255,)), "at most 200"),
    ],
)
def test_a_draft_of_the_command_line_is_checked(draft: Draft, why: str) -> None:
    if not why:
        assert checked(draft) == draft
        return
    with pytest.raises(UnusableIssue, match=why):
        checked(draft)


GITLAB = "https://gitlab.example/gl"


@for_each(
    "text, expected",
    [
        (f"{GITLAB}/support/ops/-/issues/7", Reference("support/ops", "7")),
        (f"{GITLAB}/support/team.x/ops/issues/7", Reference("support/team.x/ops", "7")),
        (f"{GITLAB}/support/ops/-/work_items/7/?a=b#note_1", Reference("support/ops", "7")),
        ("support/ops#7", Reference("support/ops", "7")),
        ("42#7", Reference("42", "7")),
        ("issue.json", None),
        ("-", None),
        ("../up#7", None),
        (f"{GITLAB}/support/ops/-/merge_requests/7", "no issue's"),
        (f"{GITLAB}/support/../ops/-/issues/7", "no issue's"),
        (f"{GITLAB}/issues/7", "no issue's"),
        (f"{GITLAB}.evil.example/support/ops/-/issues/7", "not one of"),
        ("https://gitlab.example/support/ops/-/issues/7", "not one of"),
        ("https://evil.example/?https://gitlab.example/gl/support/ops/-/issues/7", "not one of"),
        (f"{GITLAB}/{'a/' * 200}-/issues/x", "no issue's"),
    ],
)
def test_an_issue_is_named_by_an_address_of_our_gitlab_or_by_its_number(
    text: str, expected: Reference | str | None
) -> None:
    if not isinstance(expected, str):
        assert reference_of(text, GITLAB) == expected
        return
    with pytest.raises(UnusableIssue, match=expected):
        reference_of(text, GITLAB)


def test_an_address_without_a_gitlab_says_what_to_set() -> None:
    with pytest.raises(UnusableIssue, match="GITLAB_TOKEN"):
        reference_of(f"{GITLAB}/support/ops/-/issues/7", None)
