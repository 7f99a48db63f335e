"""What operators ask of csat beside its services: a story, a history, a check, a clean-up."""
