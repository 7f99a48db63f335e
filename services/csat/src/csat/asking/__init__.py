"""Who is asked for a rating, when, and how (handbook C3-C8)."""
