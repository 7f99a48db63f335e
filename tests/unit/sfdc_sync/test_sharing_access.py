"""The five options as full states, and who sees what: the more permissive of organization and user wins."""

from sfdc_sync.sharing.rules.access import (
    Access,
    Change,
    Level,
    Member,
    OtherOrganization,
    Situation,
    beyond,
    changes,
    effective,
)
from sfdc_sync.sharing.rules.options import OPTIONS, Option, Sharing, target_of
from tests.support.for_each import for_each

OWN, VIEW, COMMENT = Level.OWN, Level.VIEW, Level.COMMENT
NOTHING, LOOKING, ALL = Sharing(False, False), Sharing(True, False), Sharing(True, True)
ODD = Sharing(False, True)  # comments without tickets: what `selected_comment` sets


@for_each(
    "organization, restriction, level, perhaps",
    [
        (NOTHING, "requested", OWN, OWN),
        (NOTHING, "organization", VIEW, VIEW),
        (NOTHING, None, OWN, OWN),
        (LOOKING, "requested", VIEW, VIEW),  # a personal level restricts nothing
        (LOOKING, "organization", VIEW, VIEW),
        (ALL, "requested", COMMENT, COMMENT),
        (ALL, "organization", COMMENT, COMMENT),
        (ODD, "requested", OWN, OWN),
        (ODD, "organization", VIEW, COMMENT),  # UNCONFIRMED
    ],
)
def test_the_more_permissive_of_organization_and_user_wins(
    organization: Sharing, restriction: str | None, level: Level, perhaps: Level
) -> None:
    assert effective(organization, restriction) == Access(level, perhaps)


@for_each(
    "option, sharing, rita, sam",
    [
        (Option.OWN_TICKETS, NOTHING, "requested", "requested"),
        (Option.ALL_VIEW, LOOKING, "requested", "requested"),
        (Option.ALL_COMMENT, ALL, "requested", "requested"),
        (Option.SELECTED_VIEW, NOTHING, "organization", "requested"),
        (Option.SELECTED_COMMENT, ODD, "organization", "requested"),
    ],
)
def test_each_option_sets_organization_and_every_member(
    option: Option, sharing: Sharing, rita: str, sam: str
) -> None:
    selected = ["rita"] if OPTIONS[option].selects else []
    target = target_of(option, ["rita", "sam"], selected)
    assert target.organization == sharing
    assert target.members == {"rita": rita, "sam": sam}


@for_each("option", list(Option))
def test_what_another_request_gave_stays_only_where_the_organization_opens_everything_anyway(
    option: Option,
) -> None:
    target = target_of(option, ["rita"], [], given_elsewhere=["rita"])
    assert ("rita" in target.members) == (option not in (Option.ALL_VIEW, Option.ALL_COMMENT))


def test_the_last_two_options_say_what_they_will_really_do() -> None:
    labelled = {option for option, rule in OPTIONS.items() if "UNCONFIRMED" in rule.effect}
    assert labelled == {Option.SELECTED_VIEW, Option.SELECTED_COMMENT}
    assert all("every organization" in OPTIONS[option].effect for option in labelled)


def situation(*members: Member, sharing: Sharing = NOTHING) -> Situation:
    return Situation("1", "Groablet", sharing, members)


def test_a_selected_member_of_several_opens_the_other_organizations_too() -> None:
    acme = OtherOrganization("2", "Acme", NOTHING)
    open_one = OtherOrganization("3", "Open", ALL)
    rita = Member("11", "Rita", restriction="requested", others=(acme, open_one))
    sam = Member("12", "Sam", restriction="requested")
    agent = Member("13", "Ada", end_user=False, restriction=None)
    target = target_of(Option.SELECTED_VIEW, ["11", "12"], ["11"])
    found = changes(situation(rita, sam, agent), target)
    told = [(each.user, each.organization, each.now.level, each.then.level) for each in found]
    assert told == [
        ("Rita", "Groablet", OWN, VIEW),
        ("Sam", "Groablet", OWN, OWN),
        ("Rita", "Acme", OWN, VIEW),
    ]
    assert [each.opens for each in found] == [True, False, True]


def test_lowering_a_member_of_several_takes_the_other_organizations_away() -> None:
    rita = Member("11", "Rita", restriction="organization", others=(OtherOrganization("2", "Acme", NOTHING),))
    found = changes(situation(rita, sharing=ALL), target_of(Option.OWN_TICKETS, ["11"]))
    assert [(each.organization, each.closes) for each in found] == [("Groablet", True), ("Acme", True)]


def test_changes_survive_their_row() -> None:
    rita = Member("11", "Rita", restriction="requested")
    found = changes(situation(rita), target_of(Option.SELECTED_COMMENT, ["11"], ["11"]))
    assert [Change.of_json(each.as_json()) for each in found] == found
    assert "UNCONFIRMED" in found[0].then.words


def test_what_nobody_was_shown_is_named_person_by_person() -> None:
    def read(*members: Member, sharing: Sharing = NOTHING, option: Option = Option.ALL_VIEW) -> list[Change]:
        ids = [member.user_id for member in members]
        return changes(situation(*members, sharing=sharing), target_of(option, ids))

    rita, sam = Member("11", "Rita", restriction="requested"), Member("12", "Sam", restriction="requested")
    shown = read(rita)
    assert beyond(shown, read(rita)) == []
    assert [each.user for each in beyond(shown, read(rita, sam))] == ["Sam"]
    assert beyond(read(rita, sam), read(rita)) == []  # somebody who has left opens nothing
    assert [each.user for each in beyond(shown, read(rita, option=Option.ALL_COMMENT))] == ["Rita"]
    assert beyond(read(rita), read(rita, sam, option=Option.OWN_TICKETS)) == []
