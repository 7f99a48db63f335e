"""Names of sfdc-sync's destinations, as they stand in rows of `deliveries`: they never change."""

TICKET_RECORD = "salesforce.ticket_record"
TICKET_COMMENT = "salesforce.ticket_comment"

INTEGRITY = "salesforce.integrity"
"""Judges both sides once a day; writes nothing outside."""

SHARING_CHECK = "zendesk.sharing_check"
"""Reads what a sharing request rests on and what it would change; writes nothing."""

SHARING = "zendesk.sharing"
"""Sets the full state of a sharing request, undoes it, or compares what was set with what is."""

SHARING_COMMENT = "zendesk.sharing_comment"
"""Tells the customer's ticket that it was done."""
