"""The org as it is after a start or a reset: accounts, contacts, people, subscriptions and the records of tickets."""

from typing import Any

from sandbox.salesforce.schema import Field, SObject, master_field, system_fields

TICKET = "Zendesk_Ticket__c"
TICKET_KEY = "Zendesk_Ticket_ID__c"
COMMENT = "Zendesk_Ticket_Comment__c"
COMMENT_KEY = "Zendesk_Comment_ID__c"
SUBSCRIPTION = "Customer_Subscription__c"
ORG_ID = "00DS70000000SbxMAE"
OWNER, TAM = "0055f000000OlgaAAC", "0055f0000000TamAAE"
RATES = {"USD": 1.0, "EUR": 0.8, "GBP": 0.75}
_TYPES = ["Customer", "Former Customer", "Partner", "Prospect"]


def objects() -> list[SObject]:
    return [_organization(), _user(), _account(), _contact(), _subscription(), _ticket(), _comment()]


def _organization() -> SObject:
    return SObject("Organization", "00D", createable=False, updateable=False).add(
        *system_fields(),
        Field("Name", nillable=False),
        Field("IsSandbox", "boolean"),
        Field("OrganizationType"),
    )


def _user() -> SObject:
    return SObject("User", "005", createable=False).add(
        *system_fields(),
        Field("Name", nillable=False),
        Field("Username"),
        Field("Email", "email"),
        Field("IsActive", "boolean"),
    )


def _account() -> SObject:
    return SObject("Account", "001").add(
        *system_fields(),
        master_field(),
        Field("Name", nillable=False),
        Field("Type", "picklist", picklist=list(_TYPES)),
        Field("Website", "url"),
        Field("CurrencyIsoCode", "picklist", picklist=list(RATES)),
        Field("OwnerId", "reference", 18, reference_to="User"),
        Field("Technical_Account_Manager__c", "reference", 18, reference_to="User"),
        Field("Zendesk__Zendesk_Organization_Id__c"),
        Field("Zendesk__Zendesk_Organization__c"),
        Field("Zendesk__Domain_Mapping__c"),
        Field("Support_Level__c"),
        Field("Product__c"),
        Field("Restricted_Account__c"),
        Field("Support_Hold__c", "boolean"),
        Field("Support_Ends__c", "date"),
        Field("Account_Owner_Calc__c"),
        Field("Technical_Account_Manager_Name__c"),
        Field("CARR_This_Account__c", "currency"),
        Field("Number_of_Licenses_This_Account__c", "double"),
        Field("Market_Segment__c"),
        Field("Ultimate_Parent_Sales_Segment_Employees__c"),
    )


def _contact() -> SObject:
    return SObject("Contact", "003").add(
        *system_fields(),
        master_field(),
        Field("Name", nillable=False),
        Field("LastName", nillable=False),
        Field("Email", "email"),
        Field("Active__c", "boolean"),
        Field("AccountId", "reference", 18, reference_to="Account", children="Contacts", cascades=True),
    )


def _subscription() -> SObject:
    account = Field(
        "Account__c", "reference", 18, reference_to="Account", children="Customer_Subscriptions__r"
    )
    return SObject(SUBSCRIPTION, "a0S").add(
        *system_fields(),
        account,
        Field("Plan_Name__c"),
        Field("Current_Subscription_Status__c", "picklist", picklist=["Active", "Expired", "Draft"]),
        Field("Current_Term_End_Date__c", "date"),
        Field("Entitled_Seats__c", "double"),
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
        Field("Account_Match__c"),
        Field("Contact_Match__c"),
    )


def _comment() -> SObject:
    """One public comment of a ticket: it goes where its ticket goes."""
    parent = Field(
        "Ticket__c",
        "reference",
        18,
        nillable=False,
        reference_to=TICKET,
        children="Comments__r",
        cascades=True,
    )
    return SObject(COMMENT, "a0C").add(
        *system_fields(),
        Field(COMMENT_KEY, external_id=True, unique=True),
        parent,
        Field("Body__c", "textarea"),
        Field("Author__c"),
        Field("Created_At__c", "datetime"),
    )


def rows() -> list[tuple[str, dict[str, Any]]]:
    """Seed records; the Account ids are the `salesforce_id`s of the Zendesk seed's organizations."""
    groablet, acme = "001D000000IqhSLIAZ", "0018a00001rBqb8AAC"
    return [
        (
            "Organization",
            {"Id": ORG_ID, "Name": "Acme", "IsSandbox": False, "OrganizationType": "Unlimited Edition"},
        ),
        ("User", _employee(OWNER, "Olga Owner", "olga@vendor.example")),
        ("User", _employee(TAM, "Tam Manager", "tam@vendor.example")),
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
        "CurrencyIsoCode": "USD",
        "OwnerId": OWNER,
        "Technical_Account_Manager__c": TAM,
        "Technical_Account_Manager_Name__c": "Tam Manager",
        "Account_Owner_Calc__c": "Olga Owner",
        "Number_of_Licenses_This_Account__c": seats,
    }


def _person(key: str, name: str, email: str, account: str) -> dict[str, Any]:
    return {"Id": key, "Name": name, "LastName": name.split()[-1], "Email": email, "AccountId": account}


def _employee(key: str, name: str, email: str) -> dict[str, Any]:
    return {"Id": key, "Name": name, "Username": email, "Email": email, "IsActive": True}
