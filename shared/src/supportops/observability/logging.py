"""Log lines: one JSON object each on stderr, with bound ids and without secrets, bodies or e-mail addresses.

    log = get_logger("csat.courier")
    with bound(event_id=..., ticket_id=...):
        log.info("delivery.attempted", destination=..., attempt=2, outcome="done", ms=12.4)

Lines of libraries (stdlib logging) take the same road and the same filter.
"""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from supportops.config import LogSettings
from supportops.observability.log_limit import LimitedLibrary
from supportops.observability.redaction import Redactor

QUIET = ("aiohttp", "aiokafka", "alembic", "asyncio", "httpx", "sqlalchemy", "stamina", "urllib3", "uvicorn")
"""Libraries that are heard from WARNING on: below that some of them log addresses and parameters."""


STAMPS = 4  # processors that say the same of all lines of a moment: context, service, level, time


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one module; nothing is opened until the first line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def bound(**ids: object) -> AbstractContextManager[None]:
    """Bind ids (event_id, ticket_id, correlation_id, …) to every line of this task inside the block."""
    return structlog.contextvars.bound_contextvars(**ids)


def info_each(event: str, rows: Sequence[Mapping[str, object]]) -> None:
    """`info(event, **row)` for each row. All are stamped and written together: a line costs a third of its own call."""
    if _together is not None:
        _together(event, rows)
        return
    logger = structlog.get_logger()
    for row in rows:
        logger.info(event, **row)


def configure(
    settings: LogSettings,
    *,
    service: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    hear_libraries: bool = True,
) -> None:
    """Set up logging for the process, once, from the command line.

    `secrets` are values that must not appear in any line, whatever field they hide in. `hear_libraries`: their
    warnings and errors are logged.
    """
    out = stream or cast(TextIO, _Stderr())
    level: int = logging.getLevelNamesMapping()[settings.level.upper()]
    redact = Redactor(secrets)
    processors = _processors(settings, service, redact, out)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    global _together  # as structlog's own configuration: one per process
    _together = _Together(processors[:STAMPS], redact, out) if settings.format == "json" else None
    if level > logging.INFO:
        _together = _nothing
    root = logging.getLogger()
    bridge = _Bridge(processors, out)
    bridge.addFilter(LimitedLibrary("aiokafka"))  # without a broker it writes several lines a second
    root.handlers = [bridge]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING) if hear_libraries else logging.CRITICAL)


def reset() -> None:
    """Undo `configure`, for tests."""
    global _together
    _together = None
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Bridge)]
    root.setLevel(logging.WARNING)


class _Together:
    """Lines of one kind, written at once."""

    def __init__(self, stamps: Sequence[Processor], redact: Redactor, out: TextIO) -> None:
        self._stamps, self._redact, self._out = stamps, redact, out

    def __call__(self, event: str, rows: Sequence[Mapping[str, object]]) -> None:
        common: Any = {"event": event}
        for stamp in self._stamps:
            common = stamp(None, "info", common)
        lines = [_as_json(None, "info", self._redact(None, "info", {**common, **row})) for row in rows]
        self._out.write("".join(f"{line}\n" for line in lines))


def _nothing(_event: str, _rows: Sequence[Mapping[str, object]]) -> None:
    """Where lines of this level are not wanted."""


_together: Callable[[str, Sequence[Mapping[str, object]]], None] | None = None


class _Stderr(io.TextIOBase):
    """Whatever stderr is at the moment: loggers are kept, and it may be replaced under them (tests)."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def close(self) -> None:
        """It is not ours to close, nor to flush when the interpreter ends: `sys` is gone before us."""

    def isatty(self) -> bool:
        return sys.stderr.isatty()


class _Bridge(logging.Handler):
    """The one handler of the root logger: the stdlib's records take the road of our own lines."""

    def __init__(self, processors: Sequence[Processor], out: TextIO) -> None:
        super().__init__()
        self._processors, self._out = processors, out

    def emit(self, record: logging.LogRecord) -> None:
        """Render one record; a record that cannot be rendered goes to the stdlib's own error handler."""
        try:
            line: Any = {"event": record.getMessage(), "module": record.name}
            if record.exc_info:
                line["exc_info"] = record.exc_info
            for processor in self._processors:
                line = processor(None, record.levelname.lower(), line)
            self._out.write(f"{line}\n")
        except (TypeError, ValueError):
            self.handleError(record)


def _processors(settings: LogSettings, service: str, redact: Redactor, out: TextIO) -> list[Processor]:
    def add_service(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        event_dict["service"] = service
        return event_dict

    return [
        structlog.contextvars.merge_contextvars,
        add_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        redact,
        _as_json if settings.format == "json" else _console(out),
    ]


def _console(out: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(timestamp_key="time", colors=out.isatty())


def _as_json(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    """One line: time, level and event first, the rest as it was bound."""
    line = {key: event_dict.pop(key, None) for key in ("time", "level", "event")} | dict(event_dict)
    try:
        return orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate or an integer beyond 64 bits: the slow writer takes both
        return json.dumps(line, default=str)
