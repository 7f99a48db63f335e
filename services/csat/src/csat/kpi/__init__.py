"""The figures of handbook C2 and C9: counted, asked for by API and command line, shown on a dashboard."""
