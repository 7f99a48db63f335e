"""The pretended Slack workspace (docs/vendors/slack.md)."""
