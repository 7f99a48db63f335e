"""A ticket's record in Salesforce (docs/rules.md S1, S2)."""
