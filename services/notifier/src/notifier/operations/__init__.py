"""What operators ask of the notifier."""
