"""Prepares the files of secrets/ for docker compose: `python3 deploy/make_secrets.py`.

Needs Python 3.9 or newer, and nothing else.

A file for each secret that docker-compose.yml names, in SECRETS_DIR (of the environment or .env) or secrets/. What is
ours alone is made up; what an older .env holds is taken over; what a vendor shows is left empty and named. No file that
holds something is touched, so it is safe to run again. Names are printed, values never.
"""

import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = (
    "postgres_password",
    "database_owner_password",
    "ingest_database_password",
    "csat_database_password",
    "sfdc_sync_database_password",
    "notifier_database_password",
    "kafka_sasl_password",
    "csat_link_keys",
    "csat_api_token",
)
"""Known to nobody outside: made up here."""
NEEDED = ("ingest_webhook_secrets", "zendesk_client_secret", "salesforce_client_secret", "slack_token")
"""Shown by the vendor, and nothing starts without them."""
SESSION_KEYS, PASSWORD_HASH = "operators_session_keys", "operators_password_hash"
"""The first is made up once there is the second: each needs the other."""
FORMER = {"operators_": "CSAT_DASHBOARD_"}
"""Prefixes that variables of .env had until the last release."""
TAKEN, MADE, EMPTY = "taken over from .env", "made up", "left empty"
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def wanted(compose: str) -> list[str]:
    """The secrets that a compose file names, in its order."""
    return re.findall(r"^  ([a-z_]+): \{file: ", compose, re.MULTILINE)


def variables(text: str) -> dict[str, str]:
    """What a .env file sets: values bare, or in quotes, which are taken off."""
    found = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            name, value = match.groups()
            if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
                value = value[1 : value.find(value[0], 1)]
            else:
                value = re.sub(r"(^|\s)#.*", "", value).strip()
            found[name] = value
    return found


def value_of(name: str, env: dict[str, str], folder: Path) -> tuple[str, str]:
    """What a file is to hold, and where that came from."""
    for prefix, former in FORMER.items():
        if name.startswith(prefix) and (taken := env.get(former + name.removeprefix(prefix).upper())):
            return taken, TAKEN
    if taken := env.get(name.upper()):
        return taken, TAKEN
    login = name == SESSION_KEYS and _holds(folder / PASSWORD_HASH)
    return (secrets.token_hex(32), MADE) if name in OURS or login else ("", EMPTY)


def make(folder: Path, names: list[str], env: dict[str, str]) -> dict[str, list[str]]:
    """Write what is not there yet: the names, by what was done about them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done: dict[str, list[str]] = {}
    for name in names:
        file = folder / name
        value, how = ("", "") if _holds(file) else value_of(name, env, folder)
        if value or not file.exists():
            _write(file, value)
            done.setdefault(how, []).append(name)
    return done


def to_fill_in(folder: Path) -> list[Path]:
    """The files without which nothing starts, and which only you can fill."""
    empty = [folder / name for name in NEEDED if not _holds(folder / name)]
    by_token = _holds(folder / "zendesk_token")
    return [file for file in empty if not (by_token and file.name == "zendesk_client_secret")]


def _holds(file: Path) -> bool:
    return file.exists() and bool(file.read_text(encoding="utf-8").strip())


def _write(file: Path, value: str) -> None:
    """Whole or not at all. The containers' users read what they are given; here the folder keeps everybody else out."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
        out.write(f"{value}\n" if value else "")
    new.chmod(0o644)  # also where the umask is stricter
    new.replace(file)


def main() -> int:
    """Make what is missing, and say what was done and what is left to do."""
    dotenv = ROOT / ".env"
    env = variables(dotenv.read_text(encoding="utf-8")) if dotenv.exists() else {}
    folder = ROOT / (os.environ.get("SECRETS_DIR") or env.get("SECRETS_DIR") or "secrets")
    done = make(folder, wanted((ROOT / "docker-compose.yml").read_text(encoding="utf-8")), env)
    for how, names in done.items():
        print(f"{how}: {' '.join(names)}")
    if taken := done.get(TAKEN):
        print(f"Take these lines out of .env, where nobody reads them any more: {' '.join(taken).upper()}")
    if files := to_fill_in(folder):
        print(f"To be filled in, as docs/setup/ says: {' '.join(map(str, files))}")
    if not done:
        print(f"{folder}: nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main())
