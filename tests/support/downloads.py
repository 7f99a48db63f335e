"""What tests fetch from package registries, kept for every checkout of this account."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def kept(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name`, filled by `fetch` the first time; who comes meanwhile waits. What `fetch` raises is raised.

    A folder that was left half filled is given to `fetch` again.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "supportops"
    folder = home / name
    complete = folder / ".complete"
    if not complete.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                fetch(folder)
                complete.touch()
    return folder
