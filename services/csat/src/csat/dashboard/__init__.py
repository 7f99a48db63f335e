"""The numbers on one page for managers, with a table behind each picture, and the same as CSV."""
