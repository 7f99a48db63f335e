"""How much of the day's requests is used, as each answer says (docs/vendors/salesforce.md#limits)."""

import re
from collections.abc import Mapping

from supportops.observability.metrics import Recorder

_USAGE = re.compile(r"(?<![-\w])api-usage=(\d{1,12})/(\d{1,12})", re.ASCII)


class Usage:
    """The share of the daily requests, which the whole org has together. Written by the threads of the client."""

    def __init__(self, metrics: Recorder) -> None:
        self.share = 0.0
        self.date = ""
        self._news = False
        self._metrics = metrics

    def reached(self, share: float) -> bool:
        """Whether `share` is used. Asked once per answer: after a pause one call looks again."""
        news, self._news = self._news, False
        return news and self.share >= share

    def note(self, headers: Mapping[str, str]) -> None:
        """Read `Sforce-Limit-Info`, which most answers carry, and what time it is there."""
        self.date = headers.get("Date", "")
        if found := _USAGE.search(headers.get("Sforce-Limit-Info", "")):
            used, limit = int(found[1]), int(found[2])
            self.share = used / limit if limit else 1.0
            self._news = True
            self._metrics.gauge("salesforce_quota_used_ratio", self.share)
