"""Names of the notifier's destinations, as they stand in rows of `deliveries`: they never change."""

POSTS = "slack.feed"
UPDATES = "slack.feed_update"
ROUTING = "zendesk.feed_routing"
