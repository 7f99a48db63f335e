"""Shared organizations (docs/rules.md §2): who of an organization sees whose tickets, asked for, approved, undone."""
