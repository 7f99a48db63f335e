"""Daily proof that accounts and organizations agree (docs/rules.md S9): reports, findings, what became of them."""
