"""Asking for ratings: from a solved ticket to a survey, or to the reason why there is none."""
