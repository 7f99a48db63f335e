"""A first process for tests of the reaper: starts a deaf child, which starts another, and a thread's child.

    python -m tests.support.started_family FOLDER

Prints the three process ids as soon as all run, and ends when its standard input says so.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

from sandbox.demo import reaper

DEAF = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
if sys.argv[1:]:
    below = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE, start_new_session=True)
    below.stdout.readline()
    print(below.pid, flush=True)
print("here", flush=True)
signal.pause()
"""


def deaf(*below: str) -> "subprocess.Popen[str]":
    """A child that hears neither SIGTERM nor SIGINT."""
    with reaper.guarded([sys.executable, "-c", DEAF, *below]) as (command, register):
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=register, text=True, start_new_session=True
        )


def line_of(child: "subprocess.Popen[str]") -> str:
    """The next line that a child prints."""
    assert child.stdout is not None
    return child.stdout.readline()


def main(folder: Path) -> None:
    """Start everybody, say who, wait."""
    data = folder / "data"
    data.mkdir()
    (data / "file").write_text("of a server")
    reaper.remove_folder(data)
    reaper.run_at_end(["/bin/sh", "-c", f"touch '{folder}/told'"])
    children: list[subprocess.Popen[str]] = [deaf("-c", DEAF)]
    grandchild = int(line_of(children[0]))
    line_of(children[0])
    thread = threading.Thread(target=lambda: children.append(deaf()))
    thread.start()
    thread.join()
    line_of(children[1])
    print(json.dumps([*(child.pid for child in children), grandchild]), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
