"""Breach notices: people hear of an SLA target before it is missed (docs/rules.md N1, N2)."""
