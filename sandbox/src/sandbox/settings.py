"""Credentials and identities of the pretended accounts; `sandbox serve --help` lists them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are published in docs/sandbox.md; none of them opens anything real."""

    account_id: int = 22129848
    zendesk_email: str = "ops@example.com"
    zendesk_client: str = "sandbox-zendesk-client"
    zendesk_client_key: str = "sandbox-zendesk-client-secret"
    zendesk_key: str = "sandbox-zendesk-token"
    webhook_key: str = "sandbox-webhook-secret"
    slack_key: str = "xoxb-sandbox"
    slack_signing_key: str = "sandbox-slack-signing-secret"
    gitlab_key: str = "glpat-sandbox"
    salesforce_client: str = "sandbox-client"
    salesforce_key: str = "sandbox-secret"
    public_url: str = "http://127.0.0.1:9400"
