"""images.env is the one place for image pins."""

import re

import yaml

from tests.architecture.tree import ROOT
from tests.support.containers import images
from tests.support.kafka_server import VERSION

DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("sandbox/Dockerfile")])


def test_compose_names_the_pinned_images() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    built = {service["image"] for service in compose["services"].values() if "build" in service}
    pulled = {service["image"] for service in compose["services"].values()} - built
    assert pulled == set(images().values())


def test_every_dockerfile_starts_from_the_pinned_python() -> None:
    assert len(DOCKERFILES) == 5
    for path in DOCKERFILES:
        bases = re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE)
        assert set(bases) == {images()["PYTHON_IMAGE"]}, path


def test_the_broker_of_the_local_rung_is_the_same_version() -> None:
    assert images()["KAFKA_IMAGE"] == f"apache/kafka:{VERSION}"
    assert f"<version>{VERSION}</version>" in (ROOT / "tests/support/kafka/pom.xml").read_text()
