"""Names of sfdc-sync's destinations, as they stand in rows of `deliveries`: they never change."""

TICKET_RECORD = "salesforce.ticket_record"
