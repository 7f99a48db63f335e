"""A stand-in for GitLab's REST API v4: issues, notes, labels, and what a text in them sets off.

See docs/vendors/gitlab.md.
"""
