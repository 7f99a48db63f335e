"""Signed bodies on the local disk while the database is away. Blocking: called in a thread.

A spool is a folder of segments (`spool_frames`). What `append` returned from is on the disk (fsync, the
folder too). A segment is deleted only after the database has committed all of it and nothing in it was
damaged; else it is set aside under its name with `.damaged`, for people (decision 111). A crash before that
means that it is read again, and the webhooks' keys drop what is there already.

Several processes may share a folder: a segment is locked by the process that writes or drains it.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from uuid_utils import uuid7

from ingest.webhooks.repository import SignedRequest
from ingest.webhooks.spool_frames import Content, content, end, frames
from supportops.errors import SupportOpsError
from supportops.observability.logging import get_logger

SUFFIX: Final = ".spool"
ASIDE: Final = ".damaged"
SEGMENT_BYTES: Final = 2 * 1024 * 1024  # read in a few milliseconds
SEGMENT_AGE: Final = 600.0  # seconds; damage to one file costs so much at most


log = get_logger("ingest.spool")


class SpoolFailed(SupportOpsError):
    """The disk did not take it: full, read-only or broken."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment that this process has locked (through `file`), with what is in it."""

    path: Path
    file: BinaryIO
    content: Content


class Spool:
    """The spool of one process. Its methods may be called from any thread; `take` and what follows from one alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # of the segment that is written; never held while a folder is read
        self._file: BinaryIO | None = None
        self._path = Path()
        self._opened = 0.0
        self._found: deque[Path] = deque()  # closed segments seen, oldest first

    def append(self, batch: Sequence[SignedRequest]) -> None:
        """Keep `batch`, synced. Raises SpoolFailed; then none of it may be counted as kept."""
        data = frames(batch)
        with self._lock:
            try:
                file = self._file or self._open()
                before = os.fstat(file.fileno()).st_size
                _write_all(file, before, data)
                os.fsync(file.fileno())
            except OSError as error:
                # Zendesk sends these again, and whole ones that are there all the same are dropped by their keys.
                self._close(ended=False)
                raise SpoolFailed(f"the spool cannot be written: {error.strerror}") from error
            if before + len(data) >= SEGMENT_BYTES or time.monotonic() - self._opened >= SEGMENT_AGE:
                self._close()

    def waiting(self) -> bool:
        """Whether there is anything to drain, ours or left behind by a process that died."""
        return bool(self._found) or self._file is not None or bool(self._closed())

    def take(self) -> Segment | None:
        """Lock the oldest segment that nobody else has, and read it; None: there is none.

        The one in hand is closed only when it is the last, so an outage of hours makes few segments. What is taken
        stays until `done`; after `release` it comes again.
        """
        self._found = self._found or deque(self._closed())
        while self._found:
            segment = _opened(self._found.popleft())
            if segment is not None:
                return segment
        with self._lock:
            path = self._path if self._file is not None else None
            self._close()
        return None if path is None else _opened(path)

    def done(self, segment: Segment) -> Path | None:
        """The database has all that could be read: remove the segment, or set it aside; where it is then."""
        aside = segment.path.with_suffix(ASIDE) if segment.content.damaged else None
        if aside is not None:
            segment.path.rename(aside)
        else:
            segment.path.unlink(missing_ok=True)
        _sync_folder(self._folder)
        return aside

    def release(self, segment: Segment) -> None:
        """Let go of a segment; one that is not done comes again, in its turn."""
        segment.file.close()
        if segment.path.exists():
            self._found.appendleft(segment.path)

    def aside(self) -> list[Path]:
        """Segments with damage, which people must look at."""
        return sorted(self._folder.glob(f"*{ASIDE}"))

    def segments(self) -> list[Path]:
        """All that wait, the one that is written included."""
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def close(self) -> None:
        """Close the segment in hand; whoever starts next drains it."""
        with self._lock:
            self._close()

    def _closed(self) -> list[Path]:
        return [path for path in self.segments() if self._file is None or path != self._path]

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Named by time, so that names sort in the order of writing. Bodies are personal: for our eyes only.
        self._path = self._folder / f"{uuid7()}{SUFFIX}"
        opening = self._path.with_suffix(".opening")
        descriptor = os.open(opening, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._file, self._opened = os.fdopen(descriptor, "ab", buffering=0), time.monotonic()
        # It gets its name when it is locked: a drainer that sees it earlier would remove it under our hands.
        _locked(self._file)
        opening.rename(self._path)
        _sync_folder(self._folder)
        return self._file

    def _close(self, *, ended: bool = True) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        with file:
            length = os.fstat(file.fileno()).st_size
            try:
                if ended:
                    _write_all(file, length, end(length))
            except (
                OSError
            ) as error:  # a full disk: what is kept stays kept, it is merely not known to be complete
                log.warning("spool.end_not_written", segment=self._path.name, error=error.strerror)


def _write_all(file: BinaryIO, before: int, data: bytes) -> None:
    """All of it, or nothing: a disk that is nearly full takes a part and says so only in the count."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(file.fileno(), rest) :]
    except OSError:
        os.ftruncate(file.fileno(), before)
        raise


def _opened(path: Path) -> Segment | None:
    """The segment, if no other process has it and none was quicker."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    if _locked(file) and os.fstat(file.fileno()).st_nlink:
        return Segment(path, file, content(file.read()))
    file.close()
    return None


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
