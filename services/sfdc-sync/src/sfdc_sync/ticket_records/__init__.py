"""A ticket's record in Salesforce (handbook S1, S2)."""
