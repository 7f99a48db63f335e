"""What customers answer: on our page, or in Zendesk (docs/rules.md C1, C2, C10)."""
