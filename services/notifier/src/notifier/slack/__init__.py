"""Slack's Web API, the calls that we use."""
