"""What customers answer: on our page, or in Zendesk (handbook C1, C2, C10)."""
