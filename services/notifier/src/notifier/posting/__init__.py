"""Posting in Slack, whatever the message: one lane per channel, once per key, with the audience read before."""
