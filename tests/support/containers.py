"""Broker and database in containers, for machines with a Docker engine but without Java or PostgreSQL."""

import os
import socket
import sys
import uuid
from contextlib import suppress
from pathlib import Path

from sandbox.demo import reaper
from tests.support.eventually import eventually_now
from tests.support.processes import answers, free_port
from tests.support.servers import Unavailable

# Its reaper container is one more image to pull, and we remove ours by id.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

IMAGES_ENV = Path(__file__).parents[2] / "images.env"


def images() -> dict[str, str]:
    """The pins of images.env, which the compose file reads as well."""
    lines = [line.strip() for line in IMAGES_ENV.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def require_image(name: str) -> str:
    """The image, pulled when it is not there yet. Raises Unavailable without an engine or a registry."""
    if not _engine_listens():
        raise Unavailable("no Docker engine answers")
    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        raise Unavailable(f"no Docker engine answers: {error}") from error
    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except DockerException as error:
            raise Unavailable(f"the image {name} cannot be pulled: {error}") from error
    except DockerException as error:
        raise Unavailable(f"no Docker engine answers: {error}") from error
    finally:
        client.close()
    return name


def _engine_listens() -> bool:
    """A look at the engine's socket first: the client leaves sockets open when nobody is behind it."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0


class ContainerServer:
    """One container on a fixed port of the loopback interface, so that a restart keeps its address."""

    def __init__(self, container: DockerContainer, port: int) -> None:
        self.port = port
        self._container = container
        self._started = False

    @property
    def container_id(self) -> str:
        """For whoever cleans up."""
        return str(self._container.get_wrapped_container().id)

    def start(self) -> None:
        """Create it on the first call, start it again later."""
        if self._started:
            self._container.get_wrapped_container().start()
            eventually_now(lambda: answers(self.port), within=60, every=0.1, about=f"port {self.port}")
        else:
            self._create()
            self._started = True

    def _create(self) -> None:
        name = f"supportops-{uuid.uuid4().hex[:12]}"
        reaper.run_at_end([sys.executable, "-m", __name__, name])
        self._container.with_name(name)
        try:
            self._container.start()
        except (
            RuntimeError,
            OSError,
            DockerException,
        ) as error:  # requests' errors are OSErrors: no engine any more
            with suppress(OSError, DockerException):
                self._container.stop(force=True, delete_volume=True)
            raise Unavailable(f"its container did not start: {error}") from error

    def kill(self) -> None:
        """SIGKILL to the server inside; its volume stays."""
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        """Orderly stop."""
        self._container.get_wrapped_container().stop(timeout=60)

    def remove(self) -> None:
        """Remove container and data."""
        self._container.stop(force=True, delete_volume=True)


class KafkaContainer(ContainerServer):
    """Apache's own image (KRaft, one node)."""

    def __init__(self, *, port: int | None = None) -> None:
        chosen = port or free_port()
        container = DockerContainer(require_image(images()["KAFKA_IMAGE"])).with_bind_ports(9092, chosen)
        for name, value in self._variables(chosen).items():
            container.with_env(name, value)
        container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(90))
        super().__init__(container, chosen)

    @staticmethod
    def _variables(port: int) -> dict[str, str]:
        return {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        }

    @property
    def address(self) -> str:
        """The bootstrap address clients use."""
        return f"127.0.0.1:{self.port}"


class PostgresContainer(ContainerServer):
    """PostgreSQL's official image."""

    def __init__(self, *, port: int | None = None) -> None:
        chosen = port or free_port()
        container = DockerContainer(require_image(images()["POSTGRES_IMAGE"])).with_bind_ports(5432, chosen)
        container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        # The first "ready" is the server of the init scripts, on a socket; the port opens with the second.
        container.waiting_for(LogMessageWaitStrategy("init process complete").with_startup_timeout(90))
        super().__init__(container, chosen)

    def start(self) -> None:
        """Also waits for the port, which opens a moment after the log line."""
        super().start()
        eventually_now(lambda: answers(self.port), within=60, every=0.1, about="PostgreSQL's port")

    @property
    def address(self) -> str:
        """URL of the superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


def remove(container_id: str) -> None:
    """Remove a container by id or name; gone already is fine."""
    client = docker.from_env()
    try:
        client.containers.get(container_id).remove(force=True, v=True)
    except NotFound:
        return
    finally:
        client.close()


if __name__ == "__main__":
    remove(sys.argv[1])
