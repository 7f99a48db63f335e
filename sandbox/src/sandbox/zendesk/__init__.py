"""The pretended Zendesk account: REST, event bodies, and the sender of webhooks.

See docs/vendors/zendesk.md.
"""
