"""The spool's file format: synced, torn tails, damage, several processes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.webhooks.repository import SignedRequest
from ingest.webhooks.spool import MAGIC, Segment, Spool, SpoolFailed

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
    assert segment.received == (received(1), received(2), received(3))
    assert segment.damaged == 0
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
    assert segment.received == (received(2),)
    spool.done(segment)
    spool.release(segment)


def test_a_released_segment_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1)])
    spool.release(taken(spool))
    segment = taken(spool)
    assert segment.received == (received(1),)
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
        found += segment.received
        spool.done(segment)
        spool.release(segment)
    assert found == [received(number) for number in range(5)]


def test_a_torn_tail_at_any_byte(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1), received(2)])
    spool.close()
    path = only_file(tmp_path)
    whole = path.read_bytes()
    half = len(whole) // 2
    for length in range(half, len(whole)):
        path.write_bytes(whole[:length])
        segment = taken(spool)
        assert segment.received == (received(1),), length
        assert segment.damaged == 0
        spool.release(segment)


def test_damage_in_the_middle_costs_one_body_and_keeps_the_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([received(1), received(2), received(3)])
    spool.close()
    path = only_file(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    segment = taken(spool)
    assert segment.received == (received(1), received(3))
    assert segment.damaged == len(whole) // 3
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
    assert segment.received == (received(1), received(2))
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
