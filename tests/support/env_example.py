"""Writes .env.example from the services' settings classes: `python -m tests.support.env_example`."""

import importlib
import re
import runpy
import sys
from pathlib import Path

from supportops.config import ServiceSettings, Variable, describe
from tests.support.compose_file import secret_files

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".env.example"
SERVICES = ("ingest", "csat", "sfdc_sync", "notifier")
SHARED = "every service"
PREFLIGHT = runpy.run_path(str(ROOT / "deploy/preflight.py"))
REQUIRED: tuple[str, ...] = PREFLIGHT["REQUIRED"]
"""Marked as required: exactly what the preflight demands."""
SECRET_FILES = frozenset(secret_files())

# Read by docker-compose.yml alone, which builds the services' own variables from them.
COMPOSE_ONLY = {
    "CONFIG_NAME": ("supportops.yaml", "The file below config/ that holds the organization's rules."),
    "DATABASE_OWNER_PASSWORD": (
        "",
        "Password of the roles that own the databases: `migrate` alone logs in as them.",
    ),
    "INGEST_DATABASE_PASSWORD": (
        "",
        "Password of ingest's database role, which reads and writes rows; set anew at every start.",
    ),
    "CSAT_DATABASE_PASSWORD": ("", "Password of csat's database role."),
    "SFDC_SYNC_DATABASE_PASSWORD": ("", "Password of sfdc-sync's database role."),
    "NOTIFIER_DATABASE_PASSWORD": ("", "Password of notifier's database role."),
    "POSTGRES_PASSWORD": ("", "Password of the database server's superuser."),
    "SECRETS_DIR": ("./secrets", "The folder with a file for each secret; below this one or absolute."),
    "INGEST_PORT": ("8000", "Port of this machine that takes webhooks; put TLS in front of it."),
    "CSAT_PORT": ("8001", "Port of this machine with the survey page and the KPI."),
    "NOTIFIER_PORT": ("8002", "Port of this machine with the notifier's figures."),
    "SFDC_SYNC_PORT": ("8003", "Port of this machine with sfdc-sync's pages."),
    "SANDBOX_PORT": ("9400", "Port of this machine with the stand-ins' page."),
}

HEAD = """\
# Every setting, with its default and its meaning. Copy to .env and fill in what is marked (required). A (secret) has
# a file of its own, secrets/<its name in small letters>: `python3 deploy/make_secrets.py` prepares them all, and what
# is marked (required secret) must hold something. That suffices for `docker compose up`. Without docker compose, a
# secret is read from the variable, or from the file that <NAME>_FILE names. `csat settings` shows what is in force.
# Written by `make env-example` from the settings classes; `make check` compares.
"""


def settings_of(service: str) -> type[ServiceSettings]:
    """The settings class of a service."""
    found: type[ServiceSettings] = importlib.import_module(f"{service}.settings").Settings
    return found


def variables() -> dict[str, list[tuple[str, Variable]]]:
    """Every variable by name, with the services that read it."""
    found: dict[str, list[tuple[str, Variable]]] = {}
    for service in SERVICES:
        for variable in describe(settings_of(service)):
            found.setdefault(variable.name, []).append((service.replace("_", "-"), variable))
    return found


def render() -> str:
    """The whole file."""
    groups: dict[str, list[str]] = {}
    for name, readers in variables().items():
        services = [service for service, _ in readers]
        group = SHARED if len(services) == len(SERVICES) else ", ".join(services)
        groups.setdefault(group, []).append(_entry(name, readers[0][1]))
    sections = [
        _section(group, groups[group]) for group in sorted(groups, key=lambda group: (-len(group), group))
    ]
    compose = [_compose_entry(name, *entry) for name, entry in COMPOSE_ONLY.items()]
    return "\n".join([HEAD, *sections, _section("docker compose only", compose)]).rstrip() + "\n"


def _section(title: str, entries: list[str]) -> str:
    return f"# --- {title} ---\n\n" + "\n".join(entries)


def _entry(name: str, variable: Variable) -> str:
    remarks = [variable.meaning]
    if variable.allowed:
        remarks.append(f"Allowed: {variable.allowed}.")
    if name.lower() in SECRET_FILES:
        return _secret_entry(name, " ".join(remarks))
    if name in REQUIRED:
        return f"# {' '.join(remarks)} (required)\n{name}=\n"
    if variable.default is None:
        remarks.append("(required without docker compose, which knows it)")
    elif not _read_by_compose(name):
        remarks.append("(not read by docker compose)")
    return f"# {' '.join(remarks)}\n#{name}={variable.default or ''}\n"


def _secret_entry(name: str, meaning: str) -> str:
    mark = "required secret" if name in REQUIRED else "secret"
    return f"# {meaning} ({mark})\n#{name}=\n"


def _compose_entry(name: str, default: str, meaning: str) -> str:
    if name.lower() in SECRET_FILES:
        return _secret_entry(name, meaning)
    return f"# {meaning}\n#{name}={default}\n"


def _read_by_compose(name: str) -> bool:
    """Whether docker-compose.yml takes it from .env: by name, or as a variable that is handed on."""
    compose = (ROOT / "docker-compose.yml").read_text()
    return f"${{{name}" in compose or re.search(rf"^\s+{name}:\s*(#.*)?$", compose, re.MULTILINE) is not None


def main() -> int:
    """Write the file."""
    FILE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
