"""The bytes of a spool's segment: frames, and an end that a writer sets when it closes in order. Pure.

A frame is `magic, length, crc32, payload`. What no whole frame explains is damage, wherever it stands: a
torn tail may be an append that nobody was told of, or the half of one that was.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ingest.webhooks.repository import SignedRequest

MAGIC: Final = b"HOOK"
END: Final = b"HEND"
LONGEST: Final = 4 * 1024 * 1024  # a body is at most 1 MiB, its headers little
_HEAD: Final = struct.Struct(">4sII")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SignedRequest).decode


@dataclass(frozen=True, slots=True)
class Content:
    """What a segment holds. `damaged`: bytes that could not be read; `ended`: nothing is missing at its end."""

    received: tuple[SignedRequest, ...]
    damaged: int
    ended: bool


def frames(batch: Sequence[SignedRequest]) -> bytes:
    """The bytes of a batch."""
    return b"".join(_framed(_encode(received)) for received in batch)


def _framed(payload: bytes) -> bytes:
    return _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload


def end(length: int) -> bytes:
    """What closes a segment of `length` bytes."""
    return _HEAD.pack(END, length, zlib.crc32(END + length.to_bytes(8)))


def content(data: bytes) -> Content:
    """Read a segment, stepping over what is damaged."""
    body = data.removesuffix(end(len(data) - _HEAD.size)) if len(data) >= _HEAD.size else data
    found: list[SignedRequest] = []
    position = explained = 0
    while (start := body.find(MAGIC, position)) >= 0:
        payload = _payload_at(body, start)
        position = start + (1 if payload is None else _HEAD.size + len(payload))
        received = None if payload is None else _read(payload)
        if received is not None:
            found.append(received)
            explained += position - start
    return Content(tuple(found), len(body) - explained, ended=len(body) < len(data))


def _payload_at(body: bytes, start: int) -> bytes | None:
    """The payload of the whole frame that begins at `start`, if there is one."""
    begin = start + _HEAD.size
    if begin > len(body):
        return None
    _, length, checksum = _HEAD.unpack_from(body, start)
    if length > min(LONGEST, len(body) - begin):
        return None
    payload = body[begin : begin + length]
    return payload if zlib.crc32(payload) == checksum else None


def _read(payload: bytes) -> SignedRequest | None:
    """None: a whole frame of another version of ours. It counts as damage, so that its file is kept."""
    try:
        return _decode(payload)
    except msgspec.MsgspecError:
        return None
