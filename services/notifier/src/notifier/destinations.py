"""Names of the notifier's destinations, as they stand in rows of `deliveries`: they never change."""

POSTS = "slack.feed"
UPDATES = "slack.feed_update"
REDACTIONS = "slack.redaction"
NOTICES = "notifier.notice"
TAGS = "zendesk.notice_tag"
ROUTING = "zendesk.feed_routing"

SLA_READINGS = "zendesk.sla"
BREACH_NOTICES = "slack.breach"
BREACH_UPDATES = "slack.breach_update"
BREACH_WORDS = "slack.breach_word"
BREACH_TAGS = "zendesk.breach_tag"
SECOND_ROADS = "outside.breach"
BREACH_SUMMARIES = "slack.breach_summary"

BOT_ANSWERS = "slack.bot_answer"
