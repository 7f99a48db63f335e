"""Zendesk's webhooks: verified, kept byte for byte, read, published."""
