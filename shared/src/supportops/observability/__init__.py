"""What a running process tells about itself: log lines, metrics, health."""
