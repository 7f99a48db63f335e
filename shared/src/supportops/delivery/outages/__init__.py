"""One law for outages: when a destination waits as a whole, when it is tried again, and who hears of it."""
