"""docker-compose.yml keeps what docs/threat-model.md promises: each rule fails on a file that breaks it."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.architecture.tree import ROOT

type Document = dict[str, Any]
type Row = Callable[[Document], Iterator[str]]
"""A rule: what breaks it, container by container."""

VENDORS = ("ZENDESK_", "SALESFORCE_", "SLACK_", "GITLAB_")
PROOFS = frozenset({"SLACK_SIGNING_SECRET", "SLACK_PREVIOUS_SIGNING_SECRET", "SLACK_TEAM_ID"})
"""They prove whose request it is, and open nothing at the vendor's: what faces the internet needs them."""
STORES = {"kafka", "postgres"}
SECRET = re.compile(r"(PASSWORD|SECRETS?|TOKEN|_KEYS|_HASH)$")
DATABASE = re.compile(r"postgresql://([a-z_]+)@postgres/([a-z_]+)")
SUPERUSERS = {"preflight", "postgres", "database-roles"}
MOUNTED = "/run/secrets/"


def document() -> Document:
    """The file, nothing put in yet."""
    found: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def _environments(compose: Document) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for name, service in compose["services"].items():
        yield name, service, service.get("environment", {})


def _opens_a_vendor(name: str) -> bool:
    variable = name.upper().removesuffix("_FILE")
    return variable.startswith(VENDORS) and variable not in PROOFS


def serves_without_vendors(compose: Document) -> Iterator[str]:
    """What faces the internet holds no credential and no address of a vendor."""
    for name, service, environment in _environments(compose):
        if service.get("command") == ["serve"]:
            held = (*environment, *(each.upper() for each in service["secrets"]))
            yield from (f"{name}: {each}" for each in held if _opens_a_vendor(each))


def ports_on_the_edge(compose: Document) -> Iterator[str]:
    """A port is published by what is on the edge, on this machine's own address."""
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            if "edge" not in service["networks"] or not port.startswith("127.0.0.1:"):
                yield f"{name}: {port}"


def stores_inside(compose: Document) -> Iterator[str]:
    """Kafka and PostgreSQL are reached from the inner network alone, which has no way out."""
    if not (compose["networks"]["inner"] or {}).get("internal"):
        yield "inner: is not internal"
    for name, service in compose["services"].items():
        if name in STORES and service["networks"] != ["inner"]:
            yield f"{name}: {service['networks']}"


def workers_off_the_edge(compose: Document) -> Iterator[str]:
    """What holds vendors' credentials cannot be reached from outside."""
    for name, service in compose["services"].items():
        held = any(_opens_a_vendor(each) for each in service.get("secrets", ()))
        if held and "edge" in service["networks"]:
            yield name


def images_have_versions(compose: Document) -> Iterator[str]:
    """What is pulled has a version, and not `latest`."""
    built = {service["image"] for service in compose["services"].values() if "build" in service}
    for name, service in compose["services"].items():
        tag = service["image"].partition(":")[2]
        if service["image"] not in built and tag in ("", "latest"):
            yield f"{name}: {service['image']}"


def hardened(compose: Document) -> Iterator[str]:
    """Nothing writes to its image, has a capability, or gains one."""
    wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    forbidden = ("privileged", "cap_add", "network_mode", "pid", "ipc", "devices")
    for name, service in compose["services"].items():
        yield from (f"{name}: {key}" for key, value in wanted.items() if service.get(key) != value)
        yield from (f"{name}: {key}" for key in forbidden if key in service)


def no_socket_and_read_only_mounts(compose: Document) -> Iterator[str]:
    """Folders of the host are mounted to be read; the engine's socket never."""
    for name, service in compose["services"].items():
        for mount in service.get("volumes", ()):
            from_host = mount.startswith((".", "/"))
            if "docker.sock" in mount or (from_host and not mount.endswith(":ro")):
                yield f"{name}: {mount}"


def limited(compose: Document) -> Iterator[str]:
    """Memory, processor, processes and logs have an end."""
    for name, service in compose["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        yield from (f"{name}: {each}" for each in ("memory", "cpus", "pids") if each not in limits)
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name}: log"


def a_role_of_its_own(compose: Document) -> Iterator[str]:
    """A service logs in to its own database, as a role that owns nothing; `migrate` alone as the owner."""
    for name, service, environment in _environments(compose):
        if "DATABASE_URL" not in environment:
            continue
        own = service["image"].removeprefix("supportops-").replace("-", "_")
        role, password = own, f"{own}_database_password"
        if service["command"] == ["migrate"]:
            role, password = f"{own}_owner", "database_owner_password"
        found = DATABASE.fullmatch(environment["DATABASE_URL"])
        if found is None or found.groups() != (role, own):
            yield f"{name}: {environment['DATABASE_URL']}"
        if environment.get("DATABASE_PASSWORD_FILE") != MOUNTED + password:
            yield f"{name}: {environment.get('DATABASE_PASSWORD_FILE')}"


def the_superuser_stays_home(compose: Document) -> Iterator[str]:
    """The superuser's and the owners' passwords are where databases and roles are made, and nowhere else."""
    for name, service in compose["services"].items():
        held = service.get("secrets", ())
        if "postgres_password" in held and name not in SUPERUSERS:
            yield f"{name}: superuser"
        if "database_owner_password" in held and not (
            name in SUPERUSERS or service["command"] == ["migrate"]
        ):
            yield f"{name}: owner"


def kafka_asks_who(compose: Document) -> Iterator[str]:
    """The broker has no listener without a login but the controller's, on the loopback; clients log in by default."""
    broker = compose["services"]["kafka"]["environment"]
    protocols = dict(each.split(":") for each in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in broker["KAFKA_LISTENERS"].split(","):
        name, _, address = listener.partition("://")
        if not protocols[name].startswith("SASL") and not address.startswith("127.0.0.1:"):
            yield f"kafka: {listener}"
    for name, service, environment in _environments(compose):
        asked = str(environment.get("KAFKA_SECURITY_PROTOCOL", "SASL"))
        if service["image"].startswith("supportops-") and "SASL" not in asked:
            yield f"{name}: {asked}"


def no_secret_in_an_environment(compose: Document) -> Iterator[str]:
    """No variable, argument or address of a container has a secret's value: `docker inspect` shows all of them."""
    for name, service, environment in _environments(compose):
        yield from (f"{name}: {variable}" for variable in environment if SECRET.search(variable))
        interpolated = re.findall(r"(?<!\$)\$\{?([A-Z0-9_]+)(:\+)?", str(service))
        yield from (
            f"{name}: ${each}" for each, only_asked in interpolated if SECRET.search(each) and not only_asked
        )


def secrets_are_files_of_one_folder(compose: Document) -> Iterator[str]:
    """Each secret is a file of its own name in the one folder that nobody else can enter."""
    for name, secret in compose["secrets"].items():
        if secret != {"file": f"${{SECRETS_DIR:-./secrets}}/{name}"}:
            yield f"{name}: {secret}"


def a_container_gets_what_it_reads(compose: Document) -> Iterator[str]:
    """A secret is mounted where something reads it, and read where it is mounted; the preflight compares all."""
    for name, service in compose["services"].items():
        mounted = set(service.get("secrets", ()))
        read = set(re.findall(rf"{MOUNTED}([a-z_]+)", str(service)))
        wanted = set(compose["secrets"]) if name == "preflight" else read
        yield from (f"{name}: {each}" for each in sorted(mounted ^ wanted))


ROWS: dict[Row, Callable[[Document], object]] = {
    serves_without_vendors: lambda c: _of(c, "csat-web")["secrets"].append("zendesk_token"),
    ports_on_the_edge: lambda c: _of(c, "postgres").update(ports=["127.0.0.1:5432:5432"]),
    stores_inside: lambda c: _of(c, "kafka")["networks"].append("edge"),
    workers_off_the_edge: lambda c: _of(c, "sfdc-sync")["networks"].append("edge"),
    images_have_versions: lambda c: _of(c, "postgres").update(image="postgres:latest"),
    hardened: lambda c: _of(c, "ingest").pop("cap_drop"),
    no_socket_and_read_only_mounts: lambda c: _of(c, "csat").update(volumes=["./config:/etc/supportops"]),
    limited: lambda c: _of(c, "notifier")["deploy"]["resources"]["limits"].pop("memory"),
    a_role_of_its_own: lambda c: _of(c, "ingest")["environment"].update(
        DATABASE_URL="postgresql://ingest_owner@postgres/ingest"
    ),
    the_superuser_stays_home: lambda c: _of(c, "csat")["secrets"].append("postgres_password"),
    kafka_asks_who: lambda c: _of(c, "kafka")["environment"].update(
        KAFKA_LISTENERS="INNER://:9092,CONTROLLER://:9093"
    ),
    no_secret_in_an_environment: lambda c: _of(c, "csat")["environment"].update(CSAT_API_TOKEN="${X:-}"),
    secrets_are_files_of_one_folder: lambda c: c["secrets"].update(
        slack_token={"environment": "SLACK_TOKEN"}
    ),
    a_container_gets_what_it_reads: lambda c: _of(c, "notifier")["secrets"].append("gitlab_token"),
}
"""Each rule with a change that breaks it."""
MORE_BREAKS: tuple[tuple[Row, Callable[[Document], object]], ...] = (
    (ports_on_the_edge, lambda c: _of(c, "ingest").update(ports=["8000:8000"])),
    (stores_inside, lambda c: c["networks"].update(inner=None)),
    (images_have_versions, lambda c: _of(c, "kafka").update(image="apache/kafka")),
    (hardened, lambda c: _of(c, "kafka").update(read_only=False)),
    (hardened, lambda c: _of(c, "postgres").pop("security_opt")),
    (hardened, lambda c: _of(c, "csat").update(privileged=True)),
    (no_socket_and_read_only_mounts, lambda c: _of(c, "csat").update(volumes=["/var/run/docker.sock:/s:ro"])),
    (limited, lambda c: _of(c, "sandbox").pop("logging")),
    (kafka_asks_who, lambda c: _of(c, "csat")["environment"].update(KAFKA_SECURITY_PROTOCOL="PLAINTEXT")),
    (the_superuser_stays_home, lambda c: _of(c, "ingest")["secrets"].append("database_owner_password")),
    (serves_without_vendors, lambda c: _of(c, "ingest")["environment"].update(ZENDESK_BASE_URL="")),
    (
        a_role_of_its_own,
        lambda c: _of(c, "csat")["environment"].update(DATABASE_PASSWORD_FILE=f"{MOUNTED}postgres_password"),
    ),
    (no_secret_in_an_environment, lambda c: _of(c, "csat").update(command=["work", "${SLACK_TOKEN:-}"])),
    (no_secret_in_an_environment, lambda c: _of(c, "kafka")["environment"].update(X="$KAFKA_SASL_PASSWORD")),
    (secrets_are_files_of_one_folder, lambda c: c["secrets"].update(slack_token={"file": "./slack_token"})),
    (a_container_gets_what_it_reads, lambda c: _of(c, "ingest")["secrets"].remove("ingest_webhook_secrets")),
    (a_container_gets_what_it_reads, lambda c: _of(c, "preflight")["secrets"].remove("gitlab_token")),
)


def _of(compose: Document, name: str) -> dict[str, Any]:
    service: dict[str, Any] = compose["services"][name]
    return service


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_the_file_keeps_the_rule(row: Row) -> None:
    assert list(row(document())) == []


@pytest.mark.parametrize(
    ("row", "change"), [*ROWS.items(), *MORE_BREAKS], ids=lambda each: getattr(each, "__name__", "")
)
def test_a_file_that_breaks_the_rule_is_caught(row: Row, change: Callable[[Document], object]) -> None:
    broken = deepcopy(document())  # YAML's anchors are one object in several places
    change(broken)
    assert list(row(broken)) != []
