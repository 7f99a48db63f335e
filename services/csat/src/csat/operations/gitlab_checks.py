"""The doctor's look at GitLab: may the token make issues *with labels* in the project?

Whoever may not administer issues gets 201 all the same, without the labels (docs/vendors/gitlab.md#issues-and-notes);
so the right is looked up instead of tried.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from csat.policy.feedback import FeedbackPolicy
from supportops.errors import NotFound, Permanent
from supportops.operations.checks import Check, Finding
from supportops.operations.zendesk_checks import thing_of
from supportops.vendors.gitlab import GitLab

PLANNER = 15
"""The lowest role that may set labels; below it GitLab drops them without a word.

See docs/vendors/gitlab.md#issues-and-notes.
"""
_TOKEN = "Check GITLAB_BASE_URL, GITLAB_TOKEN (scope api) and csat.feedback.project."  # noqa: S105  # advice, no secret  # nosec B105


def feedback_check(gitlab: GitLab | None, policy: FeedbackPolicy) -> Check:
    """`gitlab` None: nothing is exported."""

    async def look() -> Iterable[Finding]:
        if gitlab is None:
            missing = "the project is set, GITLAB_BASE_URL or GITLAB_TOKEN is not" if policy.project else ""
            verdict = Finding("gitlab", "skipped", "no feedback is exported")
            return [Finding("gitlab", "failed", missing, _TOKEN) if missing else verdict]
        user, project = await gitlab.user(), await gitlab.project()
        return [
            Finding("gitlab", "ok", f"as {user.get('username')}"),
            await _scope(gitlab),
            labels(project),
            *_privacy(project, policy),
        ]

    return Check("gitlab", look, _TOKEN)


async def _scope(gitlab: GitLab) -> Finding:
    try:
        token = await gitlab.token()
    except (NotFound, Permanent) as error:
        return Finding("gitlab token", "skipped", f"it cannot be asked about itself: {error}")
    named = token.get("scopes")
    scopes = [str(scope) for scope in named] if isinstance(named, list) else []
    if "api" not in scopes:
        return Finding("gitlab token", "failed", f"has not the scope api but {', '.join(scopes)}", _TOKEN)
    ends = f", until {token['expires_at']}" if token.get("expires_at") else ""
    return Finding("gitlab token", "ok", f"scope api{ends}")


def labels(project: Mapping[str, Any]) -> Finding:
    """Whether the user's role in the project is enough to set labels. Pure."""
    remedy = "Give the token's user the role Planner, Reporter or a higher one in the project."
    level = _level(project)
    if level is None:
        words = "GitLab does not tell the user's role here: watch the first issue's labels"
        return Finding("gitlab labels", "warning", words, remedy)
    if level < PLANNER:
        words = f"access level {level} is below {PLANNER}: issues would be made, their labels dropped"
        return Finding("gitlab labels", "failed", words, remedy)
    return Finding("gitlab labels", "ok", f"access level {level}")


def _level(project: Mapping[str, Any]) -> int | None:
    """The higher of the roles by project and by group."""
    permissions = thing_of(project, "permissions")
    roles = [thing_of(permissions, name) for name in ("project_access", "group_access")]
    levels = [role["access_level"] for role in roles if isinstance(role.get("access_level"), int)]
    return max(levels, default=None)


def _privacy(project: Mapping[str, Any], policy: FeedbackPolicy) -> list[Finding]:
    """Customers' words belong into a private project, or into confidential issues."""
    if project.get("archived"):
        return [Finding("gitlab project", "failed", "the project is archived", "Name another project.")]
    if policy.confidential or project.get("visibility") in (None, "private"):
        return []
    words = f"the project is {project['visibility']} and issues are not confidential"
    return [Finding("gitlab project", "failed", words, "Set csat.feedback.confidential to true.")]
