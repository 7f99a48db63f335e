"""The signed link of a survey, and the words around it."""
