"""The org as it is after a start or a reset: Account, Contact and the ticket record."""

from typing import Any

from sandbox.salesforce.schema import Field, SObject, system_fields

TICKET = "Zendesk_Ticket__c"
TICKET_KEY = "Zendesk_Ticket_ID__c"
_TYPES = ["Customer", "Former Customer", "Partner", "Prospect"]


def objects() -> list[SObject]:
    return [_account(), _contact(), _ticket()]


def _account() -> SObject:
    return SObject("Account", "001").add(
        *system_fields(),
        Field("Name", nillable=False),
        Field("Type", "picklist", picklist=list(_TYPES)),
        Field("Website", "url"),
        Field("Zendesk__Zendesk_Organization_Id__c"),
        Field("Zendesk__Zendesk_Organization__c"),
        Field("Support_Level__c"),
        Field("Account_Owner_Calc__c"),
        Field("Technical_Account_Manager_Name__c"),
        Field("CARR_This_Account__c", "double"),
        Field("Number_of_Licenses_This_Account__c", "double"),
        Field("Market_Segment__c"),
        Field("Ultimate_Parent_Sales_Segment_Employees__c"),
    )


def _contact() -> SObject:
    return SObject("Contact", "003").add(
        *system_fields(),
        Field("Name", nillable=False),
        Field("LastName", nillable=False),
        Field("Email", "email"),
        Field("AccountId", "reference", 18, reference_to="Account"),
    )


def _ticket() -> SObject:
    return SObject(TICKET, "a0K").add(
        *system_fields(),
        Field(TICKET_KEY, external_id=True, unique=True),
        Field("Subject__c"),
        Field("Status__c"),
        Field("Priority__c"),
        Field("Requester_Id__c"),
        Field("Requester_Email__c", "email"),
        Field("Organization_Id__c"),
        Field("Organization_Name__c"),
        Field("Ticket_URL__c", "url"),
        Field("Created_At__c", "datetime"),
        Field("Solved_At__c", "datetime"),
        Field("Updated_At__c", "datetime"),
        Field("Form__c"),
        Field("Assignee_Id__c"),
        Field("Tags__c", "textarea"),
        Field("Account__c", "reference", 18, reference_to="Account"),
        Field("Contact__c", "reference", 18, reference_to="Contact"),
    )


def rows() -> list[tuple[str, dict[str, Any]]]:
    """Seed records; the Account ids are the `salesforce_id`s of the Zendesk seed's organizations."""
    groablet, acme = "001D000000IqhSLIAZ", "0018a00001rBqb8AAC"
    return [
        ("Account", _company(groablet, "Groablet Enterprises", "8447346622462", "ultimate", 1200)),
        ("Account", _company(acme, "Acme Ltd", "8447346622463", "premium", 250)),
        ("Contact", _person("0035500001H9kZuAAJ", "Rita Requester", "rita@groablet.example", groablet)),
        ("Contact", _person("0035500001H9ka0AAB", "Jo Client", "jo@acme.example", acme)),
    ]


def _company(key: str, name: str, organization_id: str, level: str, seats: int) -> dict[str, Any]:
    return {
        "Id": key,
        "Name": name,
        "Type": "Customer",
        "Zendesk__Zendesk_Organization_Id__c": organization_id,
        "Zendesk__Zendesk_Organization__c": name,
        "Support_Level__c": level,
        "Technical_Account_Manager_Name__c": "Tam Manager",
        "Account_Owner_Calc__c": "Olga Owner",
        "Number_of_Licenses_This_Account__c": seats,
    }


def _person(key: str, name: str, email: str, account: str) -> dict[str, Any]:
    return {"Id": key, "Name": name, "LastName": name.split()[-1], "Email": email, "AccountId": account}
