"""Signed bodies on the local disk while the database is away. Blocking: called in a thread.

A spool is a folder of segments, each a row of frames `magic, length, crc32, payload`. What `append`
returned from is on the disk (fsync, the folder too). Reading stops at a torn tail, which a crash or a full
disk leaves behind, and steps over damaged bytes in the middle. A segment is deleted only after the
database has committed all of it; a crash before that means that it is read again, and the webhooks' keys
drop what is there already.

Several processes may share a folder: a segment is locked by the process that writes or drains it.
"""

import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from uuid_utils import uuid7

from ingest.webhooks.repository import SignedRequest
from supportops.errors import SupportOpsError

MAGIC: Final = b"HOOK"
_HEAD: Final = struct.Struct(">4sII")
SUFFIX: Final = ".spool"
LONGEST: Final = 4 * 1024 * 1024  # a body is at most 1 MiB, its headers little
SEGMENT_BYTES: Final = 2 * 1024 * 1024  # read in a few milliseconds

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SignedRequest).decode


class SpoolFailed(SupportOpsError):
    """The disk did not take it: full, read-only or broken."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment that this process has locked (through `file`), with what is in it."""

    path: Path
    file: BinaryIO
    received: tuple[SignedRequest, ...]
    damaged: int  # bytes between whole frames that could not be read


class Spool:
    """The spool of one process. Its methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def append(self, batch: Sequence[SignedRequest]) -> None:
        """Keep `batch`, synced. Raises SpoolFailed; then none of it may be counted as kept."""
        frames = b"".join(_frame(received) for received in batch)
        with self._lock:
            try:
                file = self._file or self._open()
                _write_all(file, frames)
                os.fsync(file.fileno())
            except OSError as error:
                # Nothing is known of the tail now: a torn frame, or whole ones that Zendesk sends again. Both are
                # harmless to a reader; the next append begins another segment.
                self._rotate()
                raise SpoolFailed(f"the spool cannot be written: {error.strerror}") from error
            if file.tell() >= SEGMENT_BYTES:
                self._rotate()

    def waiting(self) -> bool:
        """Whether there is anything to drain, ours or left behind by a process that died."""
        return any(self._paths())

    def take(self) -> Segment | None:
        """Close and lock the oldest segment that nobody else has; None: there is none.

        It stays until `done`; after `release` it comes again.
        """
        with self._lock:
            self._rotate()
        for path in sorted(self._paths()):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # another process was quicker
            if _locked(file) and os.fstat(file.fileno()).st_nlink:
                return _read(path, file)
            file.close()
        return None

    def done(self, segment: Segment) -> None:
        """The database has all of it: remove the segment, or set it aside if some of it was damaged."""
        if segment.damaged:
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            segment.path.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def release(self, segment: Segment) -> None:
        """Let go of a segment; one that is not done comes again."""
        segment.file.close()

    def close(self) -> None:
        """Close the segment in hand; whoever starts next drains it."""
        with self._lock:
            self._rotate()

    def _paths(self) -> Iterator[Path]:
        return self._folder.glob(f"*{SUFFIX}")

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Named by time, so that names sort in the order of writing. Bodies are personal: for our eyes only.
        path = self._folder / f"{uuid7()}{SUFFIX}"
        opening = path.with_suffix(".opening")
        descriptor = os.open(opening, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        # It gets its name when it is locked: a drainer that sees it earlier would remove it under our hands.
        _locked(self._file)
        opening.rename(path)
        _sync_folder(self._folder)
        return self._file

    def _rotate(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_all(file: BinaryIO, data: bytes) -> None:
    """A disk that is nearly full takes a part and says so only in the count."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file.fileno(), rest) :]


def _frame(received: SignedRequest) -> bytes:
    payload = _encode(received)
    return _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def _read(path: Path, file: BinaryIO) -> Segment:
    content = file.read()
    found: list[SignedRequest] = []
    position = end = damaged = 0  # `end`: of the last whole frame
    while (start := content.find(MAGIC, position)) >= 0:
        frame = _frame_at(content, start)
        if frame is None:
            position = start + 1
            continue
        damaged += start - end
        received, end = frame
        position = end
        found.append(received)
    return Segment(path, file, tuple(found), damaged)


def _frame_at(content: bytes, start: int) -> tuple[SignedRequest, int] | None:
    """The frame that begins at `start` and where it ends, or None if there is no whole one."""
    if start + _HEAD.size > len(content):
        return None
    _, length, checksum = _HEAD.unpack_from(content, start)
    begin = start + _HEAD.size
    payload = content[begin : begin + length]
    if length > LONGEST or len(payload) != length or zlib.crc32(payload) != checksum:
        return None
    try:
        return _decode(payload), begin + length
    except msgspec.MsgspecError:
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
