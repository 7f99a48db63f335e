"""Runs once before everything else in compose: is each value there, and may an installation run with it?

Accounts come from `.env`, secrets from a file each, which compose mounts. In `SUPPORTOPS_MODE=test` the stand-ins must
answer and no account may be real; otherwise nothing published, short or used twice passes, whatever else answers in
this network. All that is wrong is named in one message, no value ever is, and nothing else is started.
"""

import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

try:
    from supportops.config import secret_rules
except ImportError:  # in its container only that file lies beside this one
    import secret_rules

REQUIRED = (
    "POSTGRES_PASSWORD",
    "INGEST_DATABASE_PASSWORD",
    "CSAT_DATABASE_PASSWORD",
    "SFDC_SYNC_DATABASE_PASSWORD",
    "NOTIFIER_DATABASE_PASSWORD",
    "DATABASE_OWNER_PASSWORD",
    "KAFKA_SASL_PASSWORD",
    "INGEST_WEBHOOK_SECRETS",
    "INGEST_ACCOUNT_ID",
    "INGEST_INTEGRATION_USER_IDS",
    "ZENDESK_BASE_URL",
    "ZENDESK_CLIENT_ID",
    "ZENDESK_CLIENT_SECRET",
    "CSAT_BASE_URL",
    "CSAT_LINK_KEYS",
    "CSAT_API_TOKEN",
    "SALESFORCE_LOGIN_URL",
    "SALESFORCE_CLIENT_ID",
    "SALESFORCE_CLIENT_SECRET",
    "SLACK_TOKEN",
)
"""`.env.example` marks exactly these."""
INSTEAD = {  # until 30 April 2027
    "ZENDESK_CLIENT_ID": ("ZENDESK_EMAIL", "ZENDESK_TOKEN"),
    "ZENDESK_CLIENT_SECRET": ("ZENDESK_EMAIL", "ZENDESK_TOKEN"),
}
IN_A_TEST = {"SALESFORCE_LOGIN_URL": "SALESFORCE_SANDBOX_URL"}
"""What the stand-ins need in another variable."""
SECRETS = (
    *(name for name in REQUIRED if name.endswith(("_PASSWORD", "_SECRET", "_SECRETS", "_KEYS", "_TOKEN"))),
    "INGEST_TRIGGER_SECRETS",
    "INGEST_OPERATOR_TOKEN",
    "ZENDESK_TOKEN",
    "OPERATORS_PASSWORD_HASH",
    "OPERATORS_SESSION_KEYS",
    "OPERATORS_PROXY_SECRET",
    "NOTIFIER_API_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_PREVIOUS_SIGNING_SECRET",
    "NOTIFIER_WEBHOOK_URL",
    "NOTIFIER_WEBHOOK_SECRET",
    "SMTP_PASSWORD",
    "SLACK_APP_TOKEN",
    "GITLAB_TOKEN",
)
"""A file each, named like the variable in small letters."""
FOLDER = Path("/run/secrets")
_WORDS_OF_A_LOGIN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What Kafka's broker can be told without quoting."""
ADDRESSES = ("ZENDESK_BASE_URL", "SLACK_BASE_URL", "GITLAB_BASE_URL", "SALESFORCE_LOGIN_URL")
SANDBOX = "http://sandbox:9400/healthz"
MAKE = "python3 deploy/make_secrets.py"
TRY = "docker compose --env-file deploy/sandbox.env --profile sandbox up --build"


def sandbox_runs() -> bool:
    """Whether the stand-ins answer; their name resolves only when the profile is on."""
    try:
        with urllib.request.urlopen(SANDBOX, timeout=3) as answer:  # nosec B310 # a constant, http
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def read(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The secrets that hold something, by variable; and what is wrong with files, with the remedy."""
    found, wrong = {}, []
    for name in SECRETS:
        try:
            value = (folder / name.lower()).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            wrong.append(
                f"{name}: secrets/{name.lower()} cannot be read ({type(error).__name__}): let every user of the "
                f"containers read it (chmod 444), and guard the folder (chmod 700)"
            )
            continue
        if value:
            found[name] = value
    return found, wrong


def missing(environment: Mapping[str, str]) -> Iterator[str]:
    """The values that nobody gave, each with where it belongs."""
    in_a_test = _is_test(environment)
    for name in REQUIRED:
        wanted = IN_A_TEST.get(name, name) if in_a_test else name
        instead = INSTEAD.get(name)
        given = environment.get(wanted) or (instead and all(environment.get(each) for each in instead))
        if not given:
            yield f"{wanted}: is missing{_where(wanted, environment)}"


def _where(name: str, environment: Mapping[str, str]) -> str:
    if name not in SECRETS:
        return ""
    if name in environment.get("LEFT_IN_ENV", "").split():
        return f" in secrets/: .env is not read for secrets; `{MAKE}` takes it over"
    return f": put it into secrets/{name.lower()}"


def unsafe(environment: Mapping[str, str]) -> Iterator[str]:
    """What may not be in an installation of this kind, with the remedy."""
    stand_in = {
        name: secret_rules.is_stand_in(environment[name]) for name in ADDRESSES if environment.get(name)
    }
    if _is_test(environment):
        for name, is_one in stand_in.items():
            if not is_one:
                yield f"{name}: is a real account, and SUPPORTOPS_MODE=test takes published secrets: remove one of both"
        return
    for name, is_one in stand_in.items():
        if is_one:
            yield f"{name}: is the address of a stand-in (http): name the real account"
    yield from secret_rules.wrong_secrets(_secrets(environment))


def check(environment: Mapping[str, str], sandbox: bool, unreadable: Sequence[str] = ()) -> tuple[int, str]:
    """Exit code and message; 0 when the services may start.

    `environment`: variables and secrets by name; `sandbox`: whether the stand-ins answer (asked in a test only);
    `unreadable`: what is wrong with files of secrets.
    """
    wrong = [*unreadable, *missing(environment), *unsafe(environment)]
    if not _WORDS_OF_A_LOGIN.fullmatch(environment.get("KAFKA_SASL_PASSWORD", "-")):
        wrong.append("KAFKA_SASL_PASSWORD: may have letters, digits and ._~+/=- alone")
    if _is_test(environment) and not sandbox:
        wrong.append(f"SUPPORTOPS_MODE=test: the stand-ins do not answer; start them too: {TRY}")
    if not wrong:
        how = (
            "with stand-ins, for trying out" if _is_test(environment) else "every account and password is set"
        )
        return 0, f"preflight: {how}"
    lines = "\n  ".join(wrong)
    return 1, (
        f"preflight: {len(wrong)} to put right (.env.example explains each; `{MAKE}` prepares secrets/):\n  {lines}\n"
        f"To try supportops without accounts: {TRY}"
    )


def _secrets(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in SECRETS:
        value = environment.get(name, "")
        for part in re.split(r"[,\n]", value) if name.endswith(("_SECRETS", "_KEYS")) else [value]:
            if part.strip():
                yield name, part.strip()


def _is_test(environment: Mapping[str, str]) -> bool:
    return environment.get("SUPPORTOPS_MODE") == "test"


def main() -> int:
    """Say what is missing or unsafe, if anything is."""
    secrets, unreadable = read(FOLDER)
    environment = os.environ | secrets
    code, message = check(environment, _is_test(environment) and sandbox_runs(), unreadable)
    print(message, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
