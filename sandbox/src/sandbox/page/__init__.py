"""One page for people: tickets, channels and records as they fill."""
