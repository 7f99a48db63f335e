"""Log lines: one JSON object each, bound ids, stdlib records on the same road, nothing secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from supportops.config import LogSettings
from supportops.observability.logging import bound, configure, get_logger, info_each, reset


class Lines:
    """Configures logging into a buffer and reads the lines back."""

    def __init__(self) -> None:
        self.out = io.StringIO()

    def configure(
        self, level: Literal["debug", "info", "warning", "error"] = "info", secrets: tuple[str, ...] = ()
    ) -> None:
        settings = LogSettings(level=level, format="json")
        configure(settings, service="csat", secrets=secrets, stream=self.out)

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Lines()
    reset()
    root.handlers = handlers
    root.setLevel(level)


def test_a_line_is_one_object_with_its_ids(lines: Lines) -> None:
    lines.configure()
    with bound(event_id="e-1", ticket_id="35436"):
        get_logger("csat.courier").info("delivery.attempted", attempt=2, outcome="done", ms=1.5)
    get_logger("csat.courier").info("idle")
    first, second = lines.read()
    assert list(first)[:3] == ["time", "level", "event"]
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "event": "delivery.attempted",
        "module": "csat.courier",
        "service": "csat",
        "event_id": "e-1",
        "ticket_id": "35436",
        "attempt": 2,
        "outcome": "done",
        "ms": 1.5,
    }
    assert "event_id" not in second


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    lines.configure(level="warning")
    get_logger("x").info("quiet")
    logging.getLogger("some.library").info("quiet")
    assert lines.read() == []


def test_a_library_takes_the_same_road(lines: Lines) -> None:
    lines.configure(secrets=("postgresql://csat:pw@db/csat",))
    with bound(event_id="e-1"):
        logging.getLogger("some.library").warning(
            "cannot reach %s with Authorization: Basic Zm9vOmJhcg==", "postgresql://csat:pw@db/csat"
        )
    (line,) = lines.read()
    assert line["module"] == "some.library"
    assert line["level"] == "warning"
    assert line["event_id"] == "e-1"
    assert line["event"] == "cannot reach [secret] with Authorization: [secret]"


def test_noisy_libraries_are_heard_from_warning_on(lines: Lines) -> None:
    lines.configure(level="debug")
    logging.getLogger("httpx").info("HTTP Request: GET https://x/?token=abc")
    logging.getLogger("httpx").warning("trouble")
    assert [line["event"] for line in lines.read()] == ["trouble"]


def test_an_exception_is_text_without_secrets(lines: Lines) -> None:
    lines.configure()
    try:
        raise ValueError("bob@example.com used xoxb-12345-abcdef")
    except ValueError:
        get_logger("x").exception("handler.failed")
    (line,) = lines.read()
    assert "Traceback" in line["exception"]
    assert "ValueError: [e-mail] used [secret]" in line["exception"]


@pytest.mark.parametrize(
    "value", ["\ud800 alone", 2**70, {1: {2: 3}}, {"a", "b"}, object(), b"bytes", float("nan")]
)
def test_nothing_that_is_logged_can_break_the_line(lines: Lines, value: object) -> None:
    lines.configure()
    get_logger("x").info("odd", value=value)
    assert lines.read()[0]["event"] == "odd"


def test_a_record_that_cannot_be_rendered_does_not_break_the_program(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    lines.configure()
    logging.getLogger("some.library").warning("%d items", "three")
    assert lines.read() == []
    assert "Logging error" in capsys.readouterr().err


def test_people_get_words_instead_of_json(lines: Lines) -> None:
    configure(LogSettings(format="console"), service="csat", stream=lines.out)
    get_logger("x").info("delivery.attempted", outcome="done", token="abc")
    assert "delivery.attempted" in lines.out.getvalue()
    assert "outcome=done" in lines.out.getvalue()
    assert "abc" not in lines.out.getvalue()


def test_lines_that_are_written_together_are_as_if_written_alone(lines: Lines) -> None:
    lines.configure(secrets=("hunter22",))
    rows = [{"subject": str(n), "reason": "it said hunter22", "payload": {"a": 1}} for n in range(3)]
    with bound(event_id="e1"):
        info_each("event.received", rows)
        structlog.get_logger().info("event.received", **rows[0])
    together, alone = lines.read()[:3], lines.read()[3]
    assert [line["subject"] for line in together] == ["0", "1", "2"]
    assert {**together[0], "time": ""} == {**alone, "time": ""}
    assert "hunter22" not in lines.out.getvalue()


def test_lines_that_are_not_wanted_are_not_written_together_either(lines: Lines) -> None:
    lines.configure(level="warning")
    info_each("event.received", [{"subject": "1"}])
    assert lines.out.getvalue() == ""


def test_people_get_words_of_each_line(lines: Lines) -> None:
    configure(LogSettings(format="console"), service="csat", stream=lines.out)
    info_each("event.received", [{"subject": "1"}, {"subject": "2"}])
    assert lines.out.getvalue().count("event.received") == 2
