"""The survey page, where only POST votes."""
