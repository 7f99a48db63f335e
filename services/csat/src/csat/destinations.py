"""Names of csat's destinations, as they stand in rows of `deliveries`: they never change."""

SURVEY = "zendesk.survey"
"""The destination that asks a requester, at the due moment."""

SURVEY_TAG = "zendesk.survey_tag"
"""The destination that tags a surveyed ticket: its own step, so that a crash never repeats the comment."""

DESCRIPTION = "zendesk.description"
"""The destination that reads, right after a solve, what the numbers are broken down by (form, plan, assignee …)."""

NATIVE_RATING = "zendesk.rating"
"""The destination that reads a ticket's rating after a hint that it changed."""

FEEDBACK = "gitlab.issue"
"""The destination that turns an answer into an issue, or brings its issue up to date."""

FEEDBACK_TAG = "zendesk.feedback_tag"
"""The destination that tags a ticket whose issue is on record: its own step, so that it never comes first."""
