"""Each call to someone else's server is counted, timed and logged in one way, whichever client makes it."""

from collections.abc import Iterator
from contextlib import contextmanager

from supportops.errors import (
    DestinationPaused,
    NotFound,
    Permanent,
    Retryable,
    SupportOpsError,
    UnknownOutcome,
)
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

log = get_logger("supportops.vendors")

_OUTCOMES: tuple[tuple[type[SupportOpsError], str], ...] = (  # most special first
    (NotFound, "not_found"),
    (UnknownOutcome, "unknown"),
    (DestinationPaused, "paused"),
    (Retryable, "retryable"),
    (Permanent, "permanent"),
)
UNFORESEEN = "failed"
"""A bug of ours, or a call that was cancelled."""


@contextmanager
def counted_call(metrics: Recorder, vendor: str, call: str) -> Iterator[None]:
    """The block is one call: its outcome in `vendor_calls`, its seconds in `vendor_call_seconds`, one debug line."""
    outcome = UNFORESEEN
    with metrics.timed("vendor_call_seconds", vendor=vendor, call=call) as seconds:
        try:
            yield
            outcome = "ok"
        except SupportOpsError as error:
            outcome = outcome_of(error)
            raise
        finally:
            metrics.count("vendor_calls", vendor=vendor, call=call, outcome=outcome)
            ms = round(seconds() * 1000, 1)
            log.debug("vendor.called", vendor=vendor, call=call, outcome=outcome, ms=ms)


def outcome_of(error: SupportOpsError) -> str:
    """The word for an error in `vendor_calls`."""
    return next((word for kind, word in _OUTCOMES if isinstance(error, kind)), UNFORESEEN)
