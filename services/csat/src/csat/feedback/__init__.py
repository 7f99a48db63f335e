"""Feedback as GitLab issues, for those who can act on it (docs/rules.md C11)."""
