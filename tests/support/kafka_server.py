"""Apache Kafka (KRaft, one node) on this machine's JVM, its jars fetched once by Maven."""

import base64
import shutil
import uuid
from pathlib import Path

from sandbox.demo import reaper
from tests.support.downloads import kept
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, answers, free_port
from tests.support.servers import Unavailable

VERSION = "4.4.0"
POM = Path(__file__).parent / "kafka" / "pom.xml"

# Joining a group waits for nobody, and internal topics are small: both save seconds per test.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


def jars() -> Path:
    """The folder with the broker's jars, filled by Maven on first use. Raises Unavailable."""
    return kept(f"kafka-{VERSION}", _fetch)


def _fetch(folder: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise Unavailable("no mvn to fetch Apache Kafka with")
    wanted = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    fetched = reaper.run([mvn, "-q", "-B", "-f", str(POM), *wanted])
    if fetched.returncode != 0:
        raise Unavailable(f"Maven could not fetch Apache Kafka:\n{fetched.stdout[-1500:]}")


def java() -> str:
    """The JVM to run it on. Raises Unavailable."""
    found = shutil.which("java")
    if found is None:
        raise Unavailable("no java to run Apache Kafka on")
    return found


class KafkaServer:
    """A broker of one's own in a temporary folder. `advertised` is for a proxy's port in front of it."""

    def __init__(self, *, port: int | None = None, advertised: int | None = None) -> None:
        self.home = reaper.temporary_folder("supportops-kafka-")
        self.port = port or free_port()
        self.advertised = advertised or self.port
        self._child = ChildProcess([], log=self.home / "kafka.log")

    @property
    def address(self) -> str:
        """The bootstrap address clients use."""
        return f"127.0.0.1:{self.advertised}"

    def let_go(self) -> int:
        """Leave it running beyond this object; returns its process id, for whoever ends it."""
        return self._child.let_go()

    def start(self) -> None:
        """Format the storage once, start, wait until it accepts connections (3 to 6 s)."""
        run_java = [java(), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*"]
        properties = self.home / "server.properties"
        if not properties.exists():
            self._format(run_java, properties)
        self._child.command = [*run_java, "kafka.Kafka", str(properties)]
        self._child.start()
        eventually_now(self._up, within=60, every=0.1, about=f"Kafka on port {self.port}")

    def _format(self, run_java: list[str], properties: Path) -> None:
        properties.write_text(
            PROPERTIES.format(
                port=self.port, controller=free_port(), advertised=self.advertised, data=self.home / "data"
            )
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-c", str(properties), "-t", cluster]
        formatted = reaper.run([*run_java, *tool])
        if formatted.returncode != 0:
            raise Unavailable(f"Kafka's storage could not be formatted: {formatted.stdout[-1000:]}")

    def _up(self) -> bool:
        if not self._child.running:
            raise RuntimeError(f"Kafka ended at its start:\n{self._child.tail()}")
        return answers(self.port)

    def kill(self) -> None:
        """SIGKILL; the next start recovers the log."""
        self._child.kill()

    def stop(self) -> None:
        """Controlled shutdown."""
        self._child.stop(within=60)

    def remove(self) -> None:
        """Kill it and delete its log."""
        self._child.kill()
        shutil.rmtree(self.home, ignore_errors=True)
