"""images.env is the one place for image pins."""

import re
import tomllib

import yaml

from tests.architecture.tree import ROOT
from tests.support.containers import images
from tests.support.kafka_files import VERSION

DOCKERFILES = (ROOT / "deploy/Dockerfile", ROOT / "sandbox/Dockerfile")
SERVICES = {path.parent.name: path for path in ROOT.glob("services/*/pyproject.toml")}


def test_compose_names_the_pinned_images() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    built = {service["image"] for service in compose["services"].values() if "build" in service}
    pulled = {service["image"] for service in compose["services"].values()} - built
    assert pulled == set(images().values())


def test_every_dockerfile_starts_from_the_pinned_python() -> None:
    for path in DOCKERFILES:
        bases = re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE)
        assert set(bases) == {images()["PYTHON_IMAGE"]}, path


def test_there_is_one_image_per_service_and_its_entry_point_is_the_services_command() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    builds = {
        service["image"]: service["build"] for service in compose["services"].values() if "build" in service
    }
    del builds["supportops-sandbox"]
    assert builds == {
        f"supportops-{name}": {"context": ".", "dockerfile": "deploy/Dockerfile", "args": {"SERVICE": name}}
        for name in SERVICES
    }
    for name, path in SERVICES.items():
        assert name in tomllib.loads(path.read_text())["project"]["scripts"]
    commanded = [name for name, service in compose["services"].items() if service["image"] in builds]
    assert all("command" in compose["services"][name] for name in commanded)


def test_build_tools_are_installed_at_one_version_and_by_their_hashes() -> None:
    """pip, uv and hatchling come from build-tools.lock; whatever is fetched is fetched by its hash."""
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["build"]
    locked = re.findall(r"^(\S+==\S+) \\\n\s+--hash=", (ROOT / "build-tools.lock").read_text(), re.MULTILINE)
    assert set(pinned) <= set(locked)
    assert all("==" in tool for tool in pinned)
    for path in (*DOCKERFILES, ROOT / "Makefile", ROOT / ".ci/run"):
        commands = re.split(r"\n|&&", path.read_text().replace("\\\n", " "))
        for command in (each for each in commands if re.search(r"\bpip (install|wheel)\b", each)):
            ours_alone = "--no-index" in command or "--no-deps --build-constraint" in command
            assert "--require-hashes" in command or ours_alone, f"{path}: {command}"


def test_the_broker_of_the_local_rung_is_the_same_version() -> None:
    assert images()["KAFKA_IMAGE"] == f"apache/kafka:{VERSION}"
    assert f"<version>{VERSION}</version>" in (ROOT / "tests/support/kafka/pom.xml").read_text()
