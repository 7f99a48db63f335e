"""Apache Kafka (KRaft, one node) on this machine's JVM, its jars fetched once by Maven."""

import shutil
from pathlib import Path

from sandbox.demo import reaper
from tests.support import kafka_files
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, answers, free_port


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
        """Copy formatted storage once, start, wait until it accepts connections (2 to 6 s)."""
        self._start(f"-XX:SharedArchiveFile={kafka_files.classes(_archive)}")

    def _start(self, option: str) -> None:
        properties, data = self.home / "server.properties", self.home / "data"
        if not properties.exists():
            shutil.copytree(kafka_files.formatted(), data)
            given = {"port": self.port, "advertised": self.advertised, "controller": free_port()}
            properties.write_text(kafka_files.PROPERTIES.format(data=data, **given))
        self._child.command = [*kafka_files.jvm(option), "kafka.Kafka", str(properties)]
        self._child.start()
        eventually_now(self._up, within=60, every=0.1, about=f"Kafka on port {self.port}")

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


def _archive(path: Path) -> None:
    """A broker that comes and goes leaves the archive behind."""
    server = KafkaServer()
    try:
        server._start(f"-XX:ArchiveClassesAtExit={path}")
        server.stop()
    finally:
        server.remove()
