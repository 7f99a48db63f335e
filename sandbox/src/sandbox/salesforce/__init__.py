"""The pretended Salesforce org (salesforce.md 5-9)."""
