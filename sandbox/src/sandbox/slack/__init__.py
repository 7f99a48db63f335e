"""The pretended Slack workspace (slack.md 1-4)."""
