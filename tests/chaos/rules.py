"""The organization's rules of a bad day: surveys after seconds, limits of the vendors lifted, several channels."""

from typing import Any


def rules(survey_after: str = "8s", groups: int = 1) -> dict[str, Any]:
    """Every ticket of a burst in one of `groups` channels (by its tag); csat without its pace."""
    feeds = [
        {
            "name": f"feed-{n}",
            "channel": f"C0CHAOS{n}",
            "updates": "channel",
            "tags": {"any": [f"group_{tag}" for tag in range(n, 100, groups)]},
        }
        for n in range(groups)
    ]
    return {
        "ingest": {"triggers": {}},
        "csat": {
            "survey_after": survey_after,
            "excluded_organizations": ["GitLab"],
            "ticket_updates_per_minute": None,
        },
        "sfdc_sync": {"linger": "300ms"},
        "notifier": {"channel_pace": None, "breaches": {"posts_per_minute": None}, "feeds": feeds},
    }
