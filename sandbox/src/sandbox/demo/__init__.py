"""A support day on one machine: starts everything as real processes, plays it, and checks every effect."""
