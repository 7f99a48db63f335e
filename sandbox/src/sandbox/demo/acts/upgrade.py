"""The act of an upgrade: a plan changes in Salesforce, a check finds that Zendesk does not know, a sync corrects it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from sandbox.demo import reaper
from sandbox.demo.activity_log import ActivityLog
from sandbox.demo.finding import Finding
from sandbox.demo.processes import DemoError
from sandbox.demo.world import Json, World

ACME, ACCOUNT = 8447346622463, "0018a00001rBqb8AAC"  # Jo's organization and its account, as they are planted
PLANS = ("premium", "ultimate")
"""One is sold after the other, however often the day is played."""
OTHERS = "ultimate"  # the plan of the only other organization that has an account
REPORT = "support_level_mismatch"
CLEAN, FOUND = 0, 2
"""Exit codes of `sfdc-sync check`: nothing, and findings."""


@dataclass
class UpgradeFacts:
    """What was sold, and what the two checks said of the report: findings as rows, before and after the sync."""

    had: str
    sold: str
    before: list[Json] = field(default_factory=list)
    after: list[Json] = field(default_factory=list)


class Errand:
    """A command that runs while the day goes on."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], patience: float) -> None:
        self._command, self._patience = command, patience
        self._out, self._error = _file(), _file()
        self._child = subprocess.Popen(  # nosec B603 # our own service
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._error
        )
        reaper.announce(self._child.pid)

    def end(self, wanted: int) -> str:
        """What it printed, at its end. Raises DemoError when that is not with the code `wanted`, or does not come."""
        with self._out, self._error:
            try:
                code = self._child.wait(timeout=self._patience)
            except subprocess.TimeoutExpired as error:
                self._child.kill()
                self._child.wait()
                raise DemoError(f"{self} did not end within {self._patience:g} s") from error
            out, said = _text(self._out), _text(self._error)
        if code != wanted:
            raise DemoError(f"{self} ended with {code} instead of {wanted}:\n{(out + said)[-2000:]}")
        return out

    def __str__(self) -> str:
        return " ".join(self._command)


@dataclass(frozen=True)
class Operator:
    """Who runs commands of sfdc-sync. `command`: what stands before their words; `environment`: None is ours."""

    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    patience: float = 60.0

    def runs(self, *words: str) -> Errand:
        """Begin a command."""
        environment = os.environ if self.environment is None else self.environment
        return Errand([*self.command, *words], environment, self.patience)


class Upgrade:
    """Plays it, in steps: each begins a command that runs while the rest of the day goes on."""

    def __init__(self, world: World, log: ActivityLog, operator: Operator) -> None:
        self._world, self._log, self._operator = world, log, operator
        self.facts: UpgradeFacts | None = None
        self._errand: Errand | None = None

    def is_sold(self) -> None:
        """The plan changes; somebody compares."""
        row = next(row for row in self._world.records("Account") if row["Id"] == ACCOUNT)
        had = str(row["Support_Level__c"]).casefold()
        sold = next(plan for plan in PLANS if plan != had)
        self.facts = UpgradeFacts(had, sold)
        self._log.action(f"Olga sells Acme {sold}, in Salesforce; Ben runs sfdc-sync check")
        self._world.edit_account(ACCOUNT, Support_Level__c=sold.title())
        self._begin("check", REPORT, "--format", "json")

    def is_synced(self) -> None:
        """The check has found it; a sync is begun."""
        self._known.before = json.loads(self._end(FOUND))
        self._log.action(f"{REPORT}: {len(self._known.before)} found; Ben runs sfdc-sync sync --full")
        self._begin("sync", "--full", "--json")

    def is_checked(self) -> None:
        """The sync is over; somebody compares again."""
        self._end(CLEAN)
        self._log.action("Ben runs sfdc-sync check once more")
        self._begin("check", REPORT, "--gone", "--format", "json")

    def ends(self) -> None:
        """The second check is over."""
        self._known.after = json.loads(self._end(CLEAN))
        self._log.action(f"{REPORT}: {sum(is_open(row) for row in self._known.after)} found")

    @property
    def _known(self) -> UpgradeFacts:
        if self.facts is None:
            raise DemoError("nothing was sold yet")
        return self.facts

    def _begin(self, *words: str) -> None:
        self._errand = self._operator.runs(*words)

    def _end(self, wanted: int) -> str:
        if self._errand is None:
            raise DemoError("nothing was begun")
        return self._errand.end(wanted)


def is_open(row: Json) -> bool:
    """Whether a finding stands."""
    return row["gone_since"] is None


def findings(facts: UpgradeFacts | None, entries: Sequence[Json]) -> Iterator[Finding]:
    """Found, corrected once, gone; and no other plan is touched."""
    written = [entry for entry in entries if is_sync(entry)]
    mine = [entry["fields"] for entry in written if entry["organization_id"] == ACME]
    plans = [fields["organization_fields"]["support_level"] for fields in mine]
    yield Finding("plans written to Acme", [facts.sold] if facts else [], plans)
    others = [entry for entry in written if entry["organization_id"] != ACME]
    moved = [each for each in others if each["fields"]["organization_fields"]["support_level"] != OTHERS]
    yield Finding("plans of others that moved", [], moved)
    if facts is None:
        return
    found = [(row["organization_id"], row["salesforce_value"], row["zendesk_value"]) for row in facts.before]
    yield Finding("what the check found", [(str(ACME), facts.sold, facts.had)], found)
    yield Finding("that it stood then", [True], [is_open(row) for row in facts.before])
    same = [(row["finding"], row["first_seen"]) for row in facts.before]
    yield Finding("what it calls gone", same, [(row["finding"], row["first_seen"]) for row in facts.after])
    yield Finding("that it is gone", [False], [is_open(row) for row in facts.after])


def is_sync(entry: Json) -> bool:
    """Whether an entry is a change of an organization's fields; it holds all of them, as they are then."""
    return entry["kind"] == "zendesk.organization.updated" and "organization_fields" in entry["fields"]


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile()  # closed when it is read


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
