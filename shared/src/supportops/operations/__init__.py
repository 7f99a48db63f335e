"""What operators ask of every service: what stands in the way, what was given up, what happened."""
