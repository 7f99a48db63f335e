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

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from supportops.config.rules_file import ConfigError, Rules

Said = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]


class Override(Rules):
    """One account's reviewed values."""

    account: Annotated[str, StringConstraints(pattern=r"^001[A-Za-z0-9]{12}[A-Z0-5]{3}$")]
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


_FILE: TypeAdapter[list[Override]] = TypeAdapter(list[Override])


def load_overrides(file: Path | None, fields: Mapping[str, object]) -> Overrides:
    """The file's entries; none without a file. Raises ConfigError with what is wrong, and where."""
    if file is None:
        return Overrides()
    entries = load_list(file, _FILE)
    problems = [
        f"{file}: {each.account}: set.{key}: is not one of organizations.fields"
        for each in entries
        for key in each.set.keys() - fields.keys()
    ]
    seen: set[str] = set()
    for each in entries:
        if each.account in seen:
            problems.append(f"{file}: {each.account}: is listed twice: put its values into one entry")
        seen.add(each.account)
    if problems:
        raise ConfigError(problems)
    return Overrides(entries)


def load_list[M](file: Path, adapter: TypeAdapter[list[M]]) -> list[M]:
    """The entries of a YAML file that holds a list. Raises ConfigError."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([f"{file}: cannot be read: {str(error).splitlines()[0]}"]) from error
    try:
        return adapter.validate_python(found or [])
    except ValidationError as error:
        wrong = [
            f"{file}: entry {'.'.join(str(part + 1 if isinstance(part, int) else part) for part in each['loc'])}: "
            f"{each['msg']}"
            for each in error.errors()
        ]
        raise ConfigError(wrong) from None
