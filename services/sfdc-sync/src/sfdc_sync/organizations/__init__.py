"""Accounts to organizations (docs/rules.md S5-S8): links, mapped fields, plans, the brake, and what writes them."""
