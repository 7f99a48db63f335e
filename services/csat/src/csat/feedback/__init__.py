"""Feedback as GitLab issues, for those who can act on it (handbook C11)."""
