"""The pretended Salesforce org (docs/vendors/salesforce.md)."""
