"""Runs once before everything else in compose: is each value that has no default there?

Real accounts come from `.env`. Where the stand-ins run (`--profile sandbox`) their published values fill the gaps; without
them every missing value is named in one message and nothing else is started. Reads only whether a value is set.
"""

import os
import sys
import urllib.error
import urllib.request

REQUIRED = (
    "POSTGRES_PASSWORD",
    "INGEST_DATABASE_PASSWORD",
    "CSAT_DATABASE_PASSWORD",
    "SFDC_SYNC_DATABASE_PASSWORD",
    "NOTIFIER_DATABASE_PASSWORD",
    "INGEST_WEBHOOK_SECRETS",
    "INGEST_ACCOUNT_ID",
    "INGEST_INTEGRATION_USER_IDS",
    "ZENDESK_BASE_URL",
    "ZENDESK_EMAIL",
    "ZENDESK_TOKEN",
    "CSAT_BASE_URL",
    "CSAT_LINK_KEYS",
    "CSAT_API_TOKEN",
    "SALESFORCE_LOGIN_URL",
    "SALESFORCE_CLIENT_ID",
    "SALESFORCE_CLIENT_SECRET",
    "SLACK_BASE_URL",
    "SLACK_TOKEN",
)
SANDBOX = "http://sandbox:9400/healthz"


def sandbox_runs() -> bool:
    """Whether the stand-ins answer; their name resolves only when the profile is on."""
    try:
        with urllib.request.urlopen(SANDBOX, timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def main() -> int:
    """0 when the services may start."""
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if not missing:
        print("preflight: every account and password is set")
        return 0
    if sandbox_runs():
        print(
            f"preflight: the sandbox stands in for {len(missing)} of {len(REQUIRED)} values; nothing real is touched"
        )
        return 0
    print(
        "preflight: these values are missing in .env (.env.example explains each):\n  "
        + "\n  ".join(missing)
        + "\nTo try supportops without accounts: docker compose --profile sandbox up --build",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
