"""Findings that somebody has looked at and wants left out, in a file of their own (`integrity.ignore_file`).

- report: no_salesforce_id
  about: "8447346622464"        # id of the organization or the account; "*": all of the report
  reason: our own organization
  until: 2026-12-31
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from sfdc_sync.policy.overrides import Said
from supportops.config.rules_file import ConfigError, Rules, load_list
from supportops.config.validation_messages import matching


class Ignored(Rules):
    """One entry."""

    report: str
    about: Annotated[str, matching(r"\*|[A-Za-z0-9]{1,20}", "an id, or * for all of the report")]
    reason: Said
    until: date


class IgnoreList:
    """The entries of the file."""

    def __init__(self, entries: Sequence[Ignored] = ()) -> None:
        self._entries = tuple(entries)

    def reason(self, report: str, ids: Sequence[str | None], today: date) -> str | None:
        """Why a finding about these ids is left out; None when it is not."""
        for each in self._entries:
            if each.report == report and each.until >= today and (each.about == "*" or each.about in ids):
                return f"{each.reason} (until {each.until})"
        return None


def load_ignored(file: Path | None, reports: Sequence[str]) -> IgnoreList:
    """The file's entries; none without a file. Raises ConfigError."""
    if file is None:
        return IgnoreList()
    found = load_list(file, Ignored)
    wrong = [
        found.mistake((at, "report"), f"is no report; allowed: {', '.join(reports)}")
        for at, each in enumerate(found.entries)
        if each.report not in reports
    ]
    if wrong:
        raise ConfigError(wrong)
    return IgnoreList(found.entries)
