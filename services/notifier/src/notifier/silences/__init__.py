"""When nothing is said: silences that people make, and quiet hours of rules."""
