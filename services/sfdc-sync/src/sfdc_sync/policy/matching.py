"""How a ticket finds its account and its contact (YAML, `sfdc_sync.matching`; docs/rules.md S2)."""

from typing import Literal

from pydantic import Field

from sfdc_sync.policy.names import ApiName, FieldPath
from supportops.config.rules_file import Rules


class PersonFields(Rules):
    """Where an account names somebody; what is null is not read."""

    name: FieldPath | None = None
    email: FieldPath | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that are read."""
        return tuple(path for path in (self.name, self.email) if path)


class AccountMatching(Rules):
    """Organization → account, by the rules salesforce_id, organization_id, name, in this order."""

    enabled: bool = True
    organization_id: ApiName | None = Field(
        default="Zendesk__Zendesk_Organization_Id__c",
        description="the account's field that holds the Zendesk organization's id; null: there is none",
    )
    organization_id_type: Literal["text", "number"] = Field(
        default="text",
        description="of that field in Salesforce, which refuses to look for a text among numbers",
    )
    by_name: bool = Field(
        default=True, description="as the last rule: one account and one organization of that name"
    )
    owner: PersonFields = PersonFields(name="Owner.Name", email="Owner.Email")
    technical_account_manager: PersonFields = PersonFields(
        name="Technical_Account_Manager__r.Name", email="Technical_Account_Manager__r.Email"
    )


class ContactMatching(Rules):
    """Requester → contact, by e-mail."""

    enabled: bool = True
    active: ApiName | None = Field(
        default=None,
        description="a checkbox of contacts in use; among several of one e-mail the single active one wins",
    )
    ambiguous: Literal["oldest", "leave_out"] = Field(
        default="oldest",
        description="what is written of several that no rule tells apart; the rule's name is ambiguous_contact",
    )
    gives_account: bool = Field(
        default=True, description="a ticket without an organization belongs to its contact's account"
    )


class MatchingPolicy(Rules):
    """The section as a whole."""

    account: AccountMatching = AccountMatching()
    contact: ContactMatching = ContactMatching()
