"""The figures of docs/rules.md C2 and C9: counted, asked for by API and command line, shown on a dashboard."""
