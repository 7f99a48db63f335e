"""What operators ask of sfdc-sync."""
