"""Bodies and signatures as Zendesk makes them, for tests: written from docs/vendors/zendesk.md, not from our parser."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

SECRET = "a2V5LW9mLXRoZS10ZXN0cw=="
ACCOUNT = "22129848"
PAYLOADS = Path(__file__).parent / "payloads"

DETAIL: dict[str, Any] = {
    "actor_id": "8447388090494",
    "assignee_id": "8447388090494",
    "brand_id": "8447346621310",
    "created_at": "2025-01-08T10:12:07Z",
    "custom_status": "8447320465790",
    "description": "Customer is experiencing login issues",
    "external_id": None,
    "form_id": "8646151517822",
    "group_id": "8447320466430",
    "id": "5158",
    "is_public": True,
    "organization_id": "8447346622462",
    "priority": "HIGH",
    "requester_id": "8447388090495",
    "status": "OPEN",
    "subject": "Cannot login",
    "submitter_id": "8447388090495",
    "tags": ["mobile", "login"],
    "type": "PROBLEM",
    "updated_at": "2025-01-08T16:45:20Z",
    "via": {"channel": "web_service"},
}
META = {"sequence": {"id": "39313930383633353634323835", "position": 2}}
TRIGGER: dict[str, Any] = {
    "schema": "trigger.v1",
    "trigger": "csat-received",
    "ticket_id": "35436",
    "ticket_status": "Solved",
    "ticket_priority": "Normal",
    "ticket_form": "Support",
    "tags": "enterprise sev_2 csat_sent",
    "via": "Mail",
    "requester_id": "20978392",
    "organization_id": "509974",
    "organization_external_id": "ABC198",
    "salesforce_account_id": "",
    "rating": "Bad",
    "current_user_id": "20978392",
    "updated_at": "2026-03-02T10:15:21Z",
}


def sample(name: str) -> bytes:
    """One of Zendesk's sample bodies, as bytes."""
    return (PAYLOADS / f"{name}.json").read_bytes()


def native(kind: str, event: dict[str, Any] | None = None, **overrides: Any) -> dict[str, Any]:
    """An event-subscription body of `kind` ("ticket.created"); keyword `detail` is laid over the usual one."""
    domain = kind.partition(".")[0]
    detail = DETAIL | overrides.pop("detail", {})
    body = {
        "account_id": int(ACCOUNT),
        "detail": detail,
        "event": {"meta": META, **(event or {})},
        "id": str(uuid4()),
        "subject": f"zen:{domain}:{detail.get('id')}",
        "time": "2025-01-08T16:45:20.987654321Z",
        "type": f"zen:event-type:{kind}",
        "zendesk_event_version": "2022-11-06",
    }
    return body | overrides


def as_bytes(body: Any) -> bytes:
    """The body as the recorded ones look: indented by three, with a newline at the end."""
    return json.dumps(body, indent=3, ensure_ascii=False).encode() + b"\n"


def signature(body: bytes, timestamp: str, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed_headers(body: bytes, timestamp: str, secret: str = SECRET) -> dict[str, str]:
    """The headers of docs/vendors/zendesk.md#requests."""
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Account-Id": ACCOUNT,
        "X-Zendesk-Webhook-Id": "01F1KRFQ6BG29CNWFR60NK5FNY",
        "X-Zendesk-Webhook-Invocation-Id": "01HANA2B5D5W9XSJS3NE5SQA1J",
        "X-Zendesk-Webhook-Signature": signature(body, timestamp, secret),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
    }
