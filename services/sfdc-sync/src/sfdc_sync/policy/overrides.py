"""Reviewed values that replace Salesforce's, in a file of their own (`sfdc_sync.organizations.overrides_file`).

    - account: 001D000000IqhSLIAZ
      set: {support_level: Gold}
      reason: upgrade promised in the contract, booked in March
      reviewed_by: ada@example.com
      until: 2026-03-31

Labels as Salesforce words them; after `until` the entry has no effect, and is told as over.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from supportops.config.rules_file import ConfigError, Rules, load_list
from supportops.config.validation_messages import matching

Said = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]


class Override(Rules):
    """One account's reviewed values."""

    account: Annotated[
        str,
        matching(r"001[A-Za-z0-9]{12}[A-Z0-5]{3}", "an account's id of 18 characters, which begins with 001"),
    ]
    set: dict[str, str | int | float | bool | None] = Field(min_length=1)
    reason: Said
    reviewed_by: Said
    until: date


class Overrides:
    """The entries of the file."""

    def __init__(self, entries: Sequence[Override] = ()) -> None:
        self.entries = tuple(entries)
        self._by_account = {each.account: each for each in entries}

    def of(self, account_id: str, today: date) -> Mapping[str, str | int | float | bool | None]:
        """Key of the field -> value of an account, as of `today`."""
        found = self._by_account.get(account_id)
        return found.set if found is not None and found.until >= today else {}

    def over(self, today: date) -> list[Override]:
        """Entries past their end: somebody should take them out."""
        return [each for each in self.entries if each.until < today]


def load_overrides(file: Path | None, fields: Mapping[str, object]) -> Overrides:
    """The file's entries; none without a file. Raises ConfigError with what is wrong, and where."""
    if file is None:
        return Overrides()
    found = load_list(file, Override)
    known = f"is not one of organizations.fields; allowed: {', '.join(sorted(fields))}"
    problems = [
        found.mistake((at, "set", key), known)
        for at, each in enumerate(found.entries)
        for key in each.set.keys() - fields.keys()
    ]
    first: dict[str, int] = {}
    for at, each in enumerate(found.entries):
        if first.setdefault(each.account, at) != at:
            line = found.lines[first[each.account], "account"]
            problems.append(
                found.mistake((at, "account"), f"is listed in line {line} already: make one entry of both")
            )
    if problems:
        raise ConfigError(problems)
    return Overrides(found.entries)
