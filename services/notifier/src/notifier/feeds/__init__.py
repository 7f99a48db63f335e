"""Feeds: which messages go where, and each of them once."""
