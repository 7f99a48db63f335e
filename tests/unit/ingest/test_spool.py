"""The spool's file format: synced, torn tails, damage, several processes."""

import zlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.operations.doctor import damaged
from ingest.operations.spool import SpoolProbe, listed
from ingest.webhooks import spool as spool_module
from ingest.webhooks.repository import SignedRequest
from ingest.webhooks.spool import Segment, Spool, SpoolFailed
from ingest.webhooks.spool_frames import MAGIC, content, end, frames
from tests.support.examples import examples

MOMENT = datetime(2026, 11, 2, 9, 0, 0, 123456, UTC)


def received(number: int) -> SignedRequest:
    return SignedRequest(MOMENT, {"user-agent": "Zendesk Webhook"}, b"body %d \x00\xff" % number + MAGIC)


def taken(spool: Spool) -> Segment:
    segment = spool.take()
    assert segment is not None
    return segment


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.spool")
    return path


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert not spool.waiting()
    assert spool.take() is None
    spool.append([received(1), received(2)])
    spool.append([received(3)])
    assert spool.waiting()
    segment = taken(spool)
    assert segment.content.received == (received(1), received(2), received(3))
    assert segment.content.damaged == 0
    spool.done(segment)
    spool.release(segment)
    assert not spool.waiting()


def test_appending_while_a_segment_is_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1)])
    segment = taken(spool)
    spool.append([received(2)])
    spool.done(segment)
    spool.release(segment)
    segment = taken(spool)
    assert segment.content.received == (received(2),)
    spool.done(segment)
    spool.release(segment)


def test_a_released_segment_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1)])
    spool.release(taken(spool))
    segment = taken(spool)
    assert segment.content.received == (received(1),)
    spool.done(segment)
    spool.release(segment)


def test_segments_come_in_the_order_of_writing(tmp_path: Path) -> None:
    for number in range(5):
        process = Spool(tmp_path)
        process.append([received(number)])
        process.close()
    spool = Spool(tmp_path)
    found: list[SignedRequest] = []
    while segment := spool.take():
        found += segment.content.received
        spool.done(segment)
        spool.release(segment)
    assert found == [received(number) for number in range(5)]


def drained(spool: Spool) -> list[bytes]:
    """Drain everything, as the intake does."""
    bodies: list[bytes] = []
    while segment := spool.take():
        bodies += [each.body for each in segment.content.received]
        spool.done(segment)
        spool.release(segment)
    return bodies


WHOLE = frames([received(1), received(2), received(3)])
CLOSED = WHOLE + end(len(WHOLE))
BODIES = {received(number).body for number in (1, 2, 3)}


def accounted_for(data: bytes, what: str) -> None:
    """All three bodies come out, or there is damage (and the file is kept), or it is known to lack its end."""
    read = content(data)
    found = {each.body for each in read.received}
    assert found <= BODIES, what
    assert found == BODIES or read.damaged or not read.ended, what


def test_no_cut_loses_anything_silently() -> None:
    for length in range(len(CLOSED)):
        accounted_for(CLOSED[:length], f"cut after {length}")
        accounted_for(CLOSED[length + 1 :], f"the first {length + 1} are gone")
        accounted_for(CLOSED[:length] + CLOSED[length + 1 :], f"byte {length} is gone")


def test_no_flip_loses_anything_silently() -> None:
    for position in range(len(CLOSED)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(CLOSED)
            flipped[position] ^= mask
            accounted_for(bytes(flipped), f"byte {position} ^ {mask}")
            assert content(bytes(flipped)).damaged, position


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_no_mutation_loses_anything_silently(data: st.DataObject) -> None:
    """Blocks of a disk that come back as zeros, as another block, or twice."""
    start = data.draw(st.integers(0, len(CLOSED)))
    stop = data.draw(st.integers(start, len(CLOSED)))
    put = data.draw(
        st.sampled_from([b"", bytes(stop - start), CLOSED[start:stop] * 2, MAGIC]) | st.binary(max_size=40)
    )
    accounted_for(CLOSED[:start] + put + CLOSED[stop:], f"{start}:{stop} = {put!r}")


@pytest.mark.parametrize(
    "damage", [CLOSED[:-20], CLOSED[5:], CLOSED + b"?", WHOLE[:-1], b"?", CLOSED[:-1] + b"?"]
)
def test_a_damaged_segment_is_kept_as_it_is(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.spool"
    path.write_bytes(damage)
    spool = Spool(tmp_path)
    drained(spool)
    assert not path.exists()
    assert [each.read_bytes() for each in spool.aside()] == [damage]


def test_frames_of_another_version_are_kept(tmp_path: Path) -> None:
    """A roll-back finds whole frames that it cannot read: they were acknowledged."""
    payload = msgspec.msgpack.encode({"received_at": 1, "shape": "of tomorrow"})
    strange = b"HOOK" + len(payload).to_bytes(4) + zlib.crc32(payload).to_bytes(4) + payload
    data = frames([received(1)]) + strange + frames([received(2)])
    (tmp_path / "a.spool").write_bytes(data + end(len(data)))
    spool = Spool(tmp_path)
    assert drained(spool) == [received(1).body, received(2).body]
    assert [path.name for path in spool.aside()] == ["a.damaged"]


def test_a_writer_that_closed_in_order_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1)])
    segment = taken(spool)
    spool.release(segment)
    assert segment.content.ended
    assert not content(frames([received(1)])).ended


def test_a_segment_in_hand_is_closed_only_when_it_is_the_last(tmp_path: Path) -> None:
    """An outage of hours, and somebody who looks twice a second: one segment, not two a second."""
    left = Spool(tmp_path)
    left.append([received(1)])
    left.close()
    spool = Spool(tmp_path)
    for number in range(2, 50):
        spool.append([received(number)])
        spool.release(taken(spool))
    assert len(spool.segments()) == 2
    assert len(drained(spool)) == 49


def test_segments_end_by_size_and_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 200)
    for number in range(10):
        spool.append([received(number)])
    assert 3 <= len(spool.segments()) <= 6
    monkeypatch.setattr(spool_module, "SEGMENT_AGE", 0.0)
    before = len(spool.segments())
    spool.append([received(10)])
    spool.append([received(11)])
    assert len(spool.segments()) > before
    assert len(drained(spool)) == 12


async def test_damage_is_named_to_operators(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    probe = SpoolProbe(spool)
    assert (await probe()).detail == "no damage"
    (tmp_path / "a.spool").write_bytes(CLOSED[:-20])
    drained(spool)
    spool.append([received(4)])
    result = await probe()
    assert result.ok, "webhooks are taken all the same"
    assert result.detail == "damaged segments wait for people: a.damaged"
    assert (damaged(tmp_path).verdict, damaged(tmp_path).detail) == ("warning", "a.damaged")
    states = {row["segment"]: (row["state"], row["bytes"] > 0) for row in listed(spool)}
    assert states.pop("a.damaged") == ("damaged", True)
    assert list(states.values()) == [("waiting", True)]
    spool.close()


def test_damage_in_the_middle_costs_one_body_and_keeps_the_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1), received(2), received(3)])
    spool.close()
    path = only_file(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[(len(whole) - len(end(0))) // 2] ^= 0xFF
    path.write_bytes(whole)
    segment = taken(spool)
    assert segment.content.received == (received(1), received(3))
    assert segment.content.damaged == (len(whole) - len(end(0))) // 3
    spool.done(segment)
    spool.release(segment)
    assert not spool.waiting()
    assert path.with_suffix(".damaged").read_bytes() == whole


def test_another_process_leaves_what_is_being_written_alone(tmp_path: Path) -> None:
    writer, other = Spool(tmp_path), Spool(tmp_path)
    writer.append([received(1)])
    assert other.waiting()
    assert other.take() is None
    writer.append([received(2)])
    writer.close()
    segment = taken(other)
    assert segment.content.received == (received(1), received(2))
    assert writer.take() is None, "a segment is drained by one process at a time"
    other.done(segment)
    other.release(segment)


def test_only_we_may_read_bodies(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1)])
    assert only_file(tmp_path).stat().st_mode & 0o077 == 0
    spool.close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolFailed):
        Spool(tmp_path / "file" / "spool").append([received(1)])
