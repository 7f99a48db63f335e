"""What was changed of a ticket, beside its comments: read from events, joined, and put into words. Pure."""
