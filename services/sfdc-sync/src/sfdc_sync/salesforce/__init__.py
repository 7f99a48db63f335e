"""Salesforce's REST API: sessions, calls, and what its answers mean."""
