"""Slack's limit of messages for a workspace, which everything that posts shares (docs/vendors/slack.md#limits)."""

from datetime import timedelta

from supportops.delivery import Budget, Rate

MINUTE = timedelta(minutes=1)
URGENT_AHEAD = MINUTE / 2


def workspace_budget(posts_per_minute: int | None, *, urgent: bool) -> Budget | None:
    """The workspace's posts; None: lifted. What is `urgent` passes everything else that waits.

    It does so by running further ahead of the pace: others wait until the pace has caught up.
    """
    if posts_per_minute is None:
        return None
    return Budget(
        "slack.posts", Rate(posts_per_minute, MINUTE), ahead=URGENT_AHEAD if urgent else MINUTE / 10
    )
