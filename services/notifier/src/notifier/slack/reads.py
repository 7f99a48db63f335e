"""What else is read in Slack: who may read a channel, a message's address for people, a person by e-mail."""

from dataclasses import dataclass

from notifier.slack.client import SlackClient, SlackRefused

_NOT_OURS = ("deleted", "is_bot", "is_stranger")
_NOBODY = frozenset({"users_not_found", "user_not_found"})


@dataclass(frozen=True)
class Audience:
    """Who reads a channel. `is_shared`: people of another company do, or are invited to."""

    name: str
    is_private: bool
    is_shared: bool
    is_archived: bool
    is_member: bool


async def audience_of(slack: SlackClient, channel: str) -> Audience:
    """Who reads a channel now (`conversations.info`); what Slack does not say counts as public and shared.

    Raises SlackChannelError where the bot may not look, SlackCredentialError where it lacks the scope.
    """
    answer = await slack.read("conversations.info", {"channel": channel})
    found = answer.get("channel")
    facts = found if isinstance(found, dict) else {}
    direct, told = facts.get("is_im") is True, facts.get("is_ext_shared")
    ours = told is False or (direct and told is None)  # of direct messages Slack may say nothing
    return Audience(
        name=str(facts.get("name") or channel)[:80],
        is_private=facts.get("is_private") is True or direct,
        is_shared=not ours or facts.get("is_pending_ext_shared") is True,
        is_archived=facts.get("is_archived") is True,
        is_member=facts.get("is_member") is True or direct,
    )


async def name_of_person(slack: SlackClient, user: str) -> str:
    """What somebody is called (`users.info`), empty where Slack tells no name. Raises SlackRefused for nobody."""
    answer = await slack.read("users.info", {"user": user})
    shown = answer.get("user")
    facts = shown if isinstance(shown, dict) else {}
    profile = facts.get("profile")
    told = profile if isinstance(profile, dict) else {}
    names = (told.get("display_name"), told.get("real_name"), facts.get("real_name"), facts.get("name"))
    return next((each for each in names if isinstance(each, str) and each.strip()), "")


async def permalink(slack: SlackClient, channel: str, ts: str) -> str | None:
    """The address of a message for people; None where Slack gives none. It goes into messages, so it must be https."""
    try:
        answer = await slack.read("chat.getPermalink", {"channel": channel, "message_ts": ts})
    except SlackRefused:
        return None
    found = answer.get("permalink")
    usable = isinstance(found, str) and found.startswith("https://") and not set(found) & set("<>| \n")
    return found if usable else None


async def user_by_email(slack: SlackClient, email: str) -> str | None:
    """The id of the person with that address; None for nobody, for bots, for those who have left, and for people of
    other companies.
    """
    try:
        answer = await slack.read("users.lookupByEmail", {"email": email})
    except SlackRefused as error:
        if error.code in _NOBODY:
            return None
        raise
    user = answer.get("user")
    if not isinstance(user, dict) or any(user.get(each) is True for each in _NOT_OURS):
        return None
    found = user.get("id")
    return found if isinstance(found, str) and found.isalnum() else None
