"""The pretended Zendesk account: REST (zendesk.md 4), event bodies (2, 3) and the sender of webhooks (1)."""
