"""The acts of the day that need more than ingest, csat and the stand-ins: each says what must come of it."""
