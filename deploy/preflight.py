"""Runs once before everything else in compose: is each value that has no default there?

Real accounts come from `.env`. Where the stand-ins run (`--profile sandbox`) their published values fill the gaps; without
them every missing value is named in one message and nothing else is started. Reads only whether a value is set.
"""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

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
    "ZENDESK_CLIENT_ID",
    "ZENDESK_CLIENT_SECRET",
    "CSAT_BASE_URL",
    "CSAT_LINK_KEYS",
    "CSAT_API_TOKEN",
    "OPERATORS_PASSWORD_HASH",  # empty closes the operators' pages, but somebody must have said so
    "OPERATORS_SESSION_KEYS",
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


def check(environment: Mapping[str, str], sandbox: bool) -> tuple[int, str]:
    """Exit code and message; 0 when the services may start."""
    by_token = all(environment.get(name) for name in ("ZENDESK_EMAIL", "ZENDESK_TOKEN"))  # until 30 April 2027
    required = [name for name in REQUIRED if not (by_token and name.startswith("ZENDESK_CLIENT"))]
    missing = [name for name in required if not environment.get(name)]
    if not missing:
        return 0, "preflight: every account and password is set"
    if sandbox:
        return 0, f"preflight: the sandbox stands in for {len(missing)} of {len(REQUIRED)} values"
    names = "\n  ".join(missing)
    return 1, (
        f"preflight: these values are missing in .env (.env.example explains each):\n  {names}\n"
        "To try supportops without accounts: docker compose --profile sandbox up --build"
    )


def main() -> int:
    """Say what is missing, if anything is."""
    code, message = check(os.environ, sandbox_runs())
    print(message, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
