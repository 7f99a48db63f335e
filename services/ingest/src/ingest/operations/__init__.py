"""What operators ask of ingest."""
