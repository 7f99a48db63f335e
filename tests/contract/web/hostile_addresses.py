"""Addresses and forms that mean harm or nothing: for every page and API of every service."""

import base64
from urllib.parse import quote


def cursor(text: str) -> str:
    """A cursor as csat's API gives them out."""
    return base64.urlsafe_b64encode(text.encode()).decode()


MOMENTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-01-01T00:00:00",
    "0000-01-01",
    "now",
    "",
)
CURSORS = [cursor(f"{moment}|{key}") for moment in MOMENTS for key in ("17", "", "\x00", "x" * 200)]
IDS = (
    "0",
    "99999999999999999999",
    "9" * 30,
    "-1",
    "1e9",
    "%00",
    "17%00",
    "%2e%2e",
    "é",
    "%ff",
    "١٢",
    "x" * 3000,
)
DAYS = ("0001-01-01", "9999-12-31", "2026-02-30", "%00", "2026-01-01%00", "-1", "1" * 500)
TEXTS = (
    "%00",
    "a%00b",
    "%ed%a0%80",
    "%ff",
    "%e2%80%ae",
    "'%22%3E%3Cscript%3E",
    "x" * 5000,
    "%0d%0aSet-Cookie:%20a=b",
)
LIMITS = ("0", "-1", "9" * 30, "1.5", "%00")


def asked(paths: tuple[str, ...], names: tuple[str, ...], values: tuple[str, ...]) -> list[str]:
    """Each path with each name and value as its query."""
    return [f"{path}?{name}={value}" for path in paths for name in names for value in values]


_PAGED = ("/api/ratings", "/api/surveys")
_CSAT = [
    *(f"/tickets/{each}" for each in IDS),
    *(f"/s/{each}" for each in TEXTS),
    *asked(("/tickets",), ("id",), IDS),
    *asked(("/dashboard", "/dashboard.csv", "/api/kpi", "/api/surveys"), ("since", "until"), DAYS),
    *asked(("/dashboard", "/api/ratings"), ("form", "reason", "%00"), TEXTS),
    *asked(("/dashboard.csv",), ("table",), TEXTS),
    *asked(("/api/surveys",), ("rule",), TEXTS),
    *asked(_PAGED, ("cursor",), (*map(quote, CURSORS), "%", "é", "====")),
    *asked(_PAGED, ("limit",), LIMITS),
]
_NOTIFIER = [
    *(f"/tickets/{each}" for each in IDS),
    *asked(("/tickets",), ("id",), IDS),
    *asked(("/notices",), ("day",), (*DAYS, *MOMENTS)),
    *asked(("/notices", "/routing", "/figures"), ("%00", "x"), TEXTS),
]
_RUN = "/runs/00000000-0000-0000-0000-000000000000"
_SFDC_SYNC = [
    *(
        f"{path}/{each}"
        for path in ("/runs", "/organizations", "/accounts", "/sharing", "/tickets")
        for each in IDS
    ),
    *asked(("/tickets",), ("id",), IDS),
    *asked((_RUN,), ("about", "state", "action", "after"), (*TEXTS, *LIMITS)),
    *asked(("/organizations",), ("about",), (*TEXTS, *IDS)),
    *asked(("/integrity", "/integrity.csv"), ("report", "severity", "state", "about"), TEXTS),
    *asked(("/sharing",), ("which",), TEXTS),
]
HOSTILE = {"csat": _CSAT, "notifier": _NOTIFIER, "sfdc-sync": _SFDC_SYNC}
"""By service: its own addresses with values that no page of ours gives out."""

ENDS = ("%00", "?next=%00", "?word=%00", "?x=" + "y" * 3000)
EVERYWHERE = [f"{path}{end}" for path in ("/login", "/", "/nothing", "/session-ended") for end in ENDS]
