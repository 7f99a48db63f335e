"""Which account and which contact a ticket belongs to (docs/rules.md S2): the rules, and the look-ups they need."""
