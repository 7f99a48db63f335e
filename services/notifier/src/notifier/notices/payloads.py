"""What the deliveries of notices carry."""

from typing import Any, Final

import msgspec

MERGED: Final = "merged"
TAM: Final = "account_manager"
RATING: Final = "rating"
SUCCESS: Final = "success"
INTEGRITY: Final = "integrity"


class Notice(msgspec.Struct, frozen=True):
    """Something to decide about a ticket: `kind` is one of the names above, `data` what its event told."""

    kind: str
    ticket_id: str
    data: dict[str, Any] = {}
