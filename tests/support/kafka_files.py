"""What every Kafka server of the tests starts from, made once for all checkouts of this account: the broker's jars,
formatted storage, and an archive of the classes that it loads. The last two spare each start three of its five and a
half seconds of processor time.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from sandbox.demo import reaper
from tests.support.downloads import kept
from tests.support.servers import Unavailable

VERSION = "4.4.0"
POM = Path(__file__).parent / "kafka" / "pom.xml"
CLUSTER = "supportops-tests-00000"  # 16 bytes in base64

# Joining a group waits for nobody, and internal topics are small: both save seconds per test.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
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


def java() -> str:
    """The JVM to run it on. Raises Unavailable."""
    found = shutil.which("java")
    if found is None:
        raise Unavailable("no java to run Apache Kafka on")
    return found


def jars() -> Path:
    """The folder with the broker's jars, filled by Maven on first use. Raises Unavailable."""
    return kept(f"kafka-{VERSION}", _fetch)


def jvm(*options: str) -> list[str]:
    """A JVM with the broker's jars; what it is to run comes behind it."""
    return [
        java(),
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *options,
        "-cp",
        f"{jars()}/*",
    ]


def formatted() -> Path:
    """Storage as the storage tool leaves it, to be copied. Raises Unavailable."""
    return kept(f"kafka-{VERSION}-formatted", _format) / "data"


def classes(archive: Callable[[Path], None]) -> Path:
    """The archive of a broker's classes, which `archive` makes; a JVM of another kind has another one, and one whose
    release has changed does without.
    """
    home = Path(java()).resolve().parents[1].name
    return (
        kept(f"kafka-{VERSION}-classes-{home}", lambda folder: archive(folder / "classes.jsa"))
        / "classes.jsa"
    )


def _fetch(folder: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise Unavailable("no mvn to fetch Apache Kafka with")
    wanted = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    fetched = reaper.run([mvn, "-q", "-B", "-f", str(POM), *wanted])
    if fetched.returncode != 0:
        raise Unavailable(f"Maven could not fetch Apache Kafka:\n{fetched.stdout[-1500:]}")


def _format(folder: Path) -> None:
    data, properties = folder / "data", folder / "server.properties"
    shutil.rmtree(data, ignore_errors=True)
    properties.write_text(PROPERTIES.format(data=data, port=9092, advertised=9092, controller=9093))
    tool = ["kafka.tools.StorageTool", "format", "-c", str(properties), "-t", CLUSTER]
    done = reaper.run([*jvm(), *tool])
    if done.returncode != 0:
        raise Unavailable(f"Kafka's storage could not be formatted:\n{done.stdout[-1500:]}")
