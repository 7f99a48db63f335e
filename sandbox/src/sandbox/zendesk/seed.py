"""The account as it is after a start or a reset. These ids are fixed; docs/sandbox.md lists them."""

from typing import Any

from sandbox.zendesk.account import Account, Records
from sandbox.zendesk.records import Named, Organization, TicketField, User

INTEGRATION_USER = 8447388090001
ADA, BEN = 8447388090494, 8447388090495
SUPPORT_GROUP = 8447320466430
BRAND = 8447346621310
FORMS = (
    "Self-Managed",
    "GitLab.com",
    "GitLab.com (SAAS) Account Related Form",
    "GitLab Hosted (GitHost.io)",
    "License Renewals and Upgrades",
    "Accounts Receivable / Refunds",
    "Security Issue",
)
FIRST_FORM = 8646151517822
PLANS = (
    "Basic",
    "Premium",
    "Custom",
    "Bronze",
    "Silver",
    "Gold",
    "Expired",
    "Hold",
    "Starter",
    "Ultimate",
    "Community",
    "Other",
)
ACCOUNT_TYPES = (
    "Authorized Reseller",
    "Customer",
    "Former Customer",
    "Integrator",
    "Partner",
    "Prospect",
    "Unofficial Reseller",
    "Reseller",
)
ORGANIZATION_FIELDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("salesforce_id", "text", ()),
    ("support_level", "dropdown", PLANS),
    ("aar", "decimal", ()),
    ("sales_segmentation", "text", ()),
    ("account_owner", "text", ()),
    ("account_type", "dropdown", ACCOUNT_TYPES),
    ("technical_account_manager", "text", ()),
    ("seats_decimal", "integer", ()),
    ("market_segment", "text", ()),
    ("marked_for_review", "checkbox", ()),
    ("expiration_date", "date", ()),
)
VIEWS: tuple[dict[str, Any], ...] = (
    {"id": 360001, "title": "Unassigned tickets", "active": True, "position": 1, "restriction": None}
    | {"query": "assignee:none status<solved"},
    {"id": 360002, "title": "All unsolved tickets", "active": True, "position": 2, "restriction": None}
    | {"query": "status<solved"},
    {"id": 360003, "title": "Recently solved tickets", "active": True, "position": 3, "restriction": None}
    | {"query": "status:solved"},
)


def plant(account: Account) -> None:
    """Forget everything and put the first users, organizations, forms, groups and fields in."""
    account.records = Records()
    account.integration_id = INTEGRATION_USER
    email = account.settings.zendesk_email
    account.add_user(
        User(INTEGRATION_USER, "Support Ops Integration", email, role="admin", ticket_restriction=None)
    )
    account.add_user(User(ADA, "Ada Agent", "ada@support.example", role="agent", ticket_restriction=None))
    account.add_user(User(BEN, "Ben Agent", "ben@support.example", role="agent", ticket_restriction=None))
    _organization_fields(account)
    _organizations(account)
    _customers(account)
    records = account.records
    records.groups[SUPPORT_GROUP] = Named(SUPPORT_GROUP, "Support")
    records.brands[BRAND] = Named(BRAND, "Example")
    records.forms.update({FIRST_FORM + i: Named(FIRST_FORM + i, name) for i, name in enumerate(FORMS)})
    records.views = [dict(view) for view in VIEWS]
    records.fields[360000000001] = TicketField(360000000001, "Severity", "dropdown")


def _organization_fields(account: Account) -> None:
    """Those of a public handbook (`aar` is theirs), and a checkbox for organizations that wait for review."""
    for number, (key, kind, options) in enumerate(ORGANIZATION_FIELDS, start=360000000501):
        shown = {"id": number, "key": key, "type": kind, "title": key.replace("_", " "), "active": True}
        if options:
            shown["custom_field_options"] = [
                {"name": each, "value": each.lower().replace(" ", "_")} for each in options
            ]
        account.records.organization_fields[key] = shown


def _organizations(account: Account) -> None:
    plans = ((8447346622462, "Groablet Enterprises", "ultimate"), (8447346622463, "Acme Ltd", "premium"))
    for number, (key, name, plan) in enumerate(plans, start=1):
        sfdc = SEED_ACCOUNTS[number - 1]
        fields = {"salesforce_id": sfdc, "support_level": plan}
        domain = [f"{name.split()[0].lower()}.example"]
        account.add_organization(
            Organization(key, name, sfdc, domain, tags=[plan], organization_fields=fields),
        )
    account.add_organization(Organization(8447346622464, "GitLab", None, ["gitlab.example"]))


def _customers(account: Account) -> None:
    for key, name, email, organization in (
        (8447388090601, "Rita Requester", "rita@groablet.example", 8447346622462),
        (8447388090602, "Jo Client", "jo@acme.example", 8447346622463),
        (8447388090603, "Gil Lab", "gil@gitlab.example", 8447346622464),
        (8447388090604, "Nora Noorg", "nora@nowhere.example", None),
    ):
        account.add_user(User(key, name, email, organization_id=organization))


# Account ids that Salesforce's seed uses too (docs/vendors/salesforce.md#record-ids: 18 characters with a right
# suffix).
SEED_ACCOUNTS = ("001D000000IqhSLIAZ", "0018a00001rBqb8AAC")
