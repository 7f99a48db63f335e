"""Row "full sync of 10,000 accounts": calls, own time beside the calls, memory; killed half-way and run again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.servers import Servers
from sandbox.demo import reaper
from sfdc_sync.salesforce.record_id import to18
from tests.support.eventually import eventually_now
from tests.support.sandbox import INTEGRATION_LOGIN, ZENDESK_CLIENT, SandboxProcess

ACCOUNTS, WRONG, NEW = 10_000, 1_000, 100
PAGES = (ACCOUNTS - NEW) // 100 + 1 + ACCOUNTS // 2_000
"""Of organizations and accounts."""
FIXED = 5
"""The org, the description of Account, a token on either side, the look for what was deleted."""
_CALL = re.compile(r"vendor\.called.*?call=(\w+).*?ms=([0-9.]+)|\"call\": ?\"(\w+)\".*?\"ms\": ?([0-9.]+)")


@dataclass(frozen=True)
class Run:
    """What one run of the command took."""

    code: int
    calls: Counter[str]
    waited: float
    wall: float
    processor: float
    memory: float


def measure(servers: Servers) -> list[Figure]:
    """Compare everything once, with 1,000 wrong plans and 100 new accounts; then kill a run and repeat it."""
    home = reaper.temporary_folder("supportops-bench-")
    with SandboxProcess(home) as outside:
        plant(outside)
        environment = settings(outside.url, servers.new_database(), home)
        migrated = reaper.run([sys.executable, "-m", "sfdc_sync", "migrate"], environment=environment)
        assert migrated.returncode == 0, migrated.stdout
        run = sync(environment, home, "--full", "--create")
        assert run.code == 0, (home / "sync.log").read_text()[-2_000:]
        check(outside)
        resumed = killed_and_resumed(outside, environment, home)
    polls = run.calls["job"]
    allowed = PAGES + WRONG // 100 + NEW // 100 + polls + FIXED
    total = run.calls.total()
    own = run.wall - run.waited
    named = "full sync of 10,000 accounts"
    return [
        Figure(
            f"{named}: own time beside the calls",
            own,
            "s",
            "<= 60",
            own <= 60,
            note=f"{run.wall:.0f} s in all",
        ),
        Figure(f"{named}: memory", run.memory, "MB", "<= 150", run.memory <= 150),
        Figure(
            f"{named}: calls",
            total,
            "calls",
            f"<= {allowed}",
            total <= allowed,
            note=f"{polls} polls of jobs",
        ),
        Figure(
            f"{named}, killed: written twice",
            resumed,
            "rows",
            "<= 100",
            resumed <= 100,
            note="one batch in flight",
        ),
    ]


def plant(outside: SandboxProcess) -> None:
    """Accounts, and the organization of each but the last 100; every tenth has another plan."""
    outside.post("reset")
    rows = [
        {"Id": key(n), "Name": f"Company {n}", "Type": "Customer", "Support_Level__c": "Gold"}
        for n in range(ACCOUNTS)
    ]
    for some in batched(rows, 1_000):
        outside.post("salesforce/records", object="Account", records=list(some))
    made = [organization(n) for n in range(ACCOUNTS - NEW)]
    for some in batched(made, 100):
        answer = outside.http.post(
            "/zendesk/api/v2/organizations/create_many",
            json={"organizations": list(some)},
            auth=INTEGRATION_LOGIN,
        )
        assert answer.is_success, answer.text


def organization(number: int) -> dict[str, Any]:
    """As the account's should be, but for every tenth plan."""
    wrong = number % 10 == 0 and number < WRONG * 10
    fields = {
        "salesforce_id": key(number),
        "support_level": "starter" if wrong else "gold",
        "account_type": "customer",
        "technical_account_manager": None,
    }
    return {"name": f"Company {number}", "external_id": key(number), "organization_fields": fields}


def key(number: int) -> str:
    """An account's id with its right suffix."""
    return to18(f"0015f0000{number:06d}")


def settings(url: str, database: str, home: Path) -> dict[str, str]:
    """What the command reads."""
    rules = home / "rules.yaml"
    brake = "{absolute: 5000, share: 1, least: 5000}"
    rules.write_text(
        f"sfdc_sync: {{organizations: {{brake: {{changes: {brake}, creates: {brake}}}}}}}\n", encoding="utf-8"
    )
    return os.environ | {
        "SUPPORTOPS_MODE": "test",
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ZENDESK_BASE_URL": f"{url}/zendesk",
        **ZENDESK_CLIENT,
        "ZENDESK_RATE_LIMIT": "100000",
        "ZENDESK_RATE_SHARE": "1",
        "SALESFORCE_SANDBOX_URL": f"{url}/salesforce",
        "SALESFORCE_CLIENT_ID": "sandbox-client",
        "SALESFORCE_CLIENT_SECRET": "sandbox-secret",  # nosec B105 # of the stand-in
        "CONFIG_FILE": str(rules),
        "LOG_LEVEL": "debug",
    }


@contextmanager
def started(environment: dict[str, str], home: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command `sfdc-sync sync`, its words in sync.log."""
    program = [sys.executable, "-m", "sfdc_sync", "sync", *arguments]
    with (home / "sync.log").open("wb") as out, reaper.guarded(program) as (command, register):
        yield subprocess.Popen(command, env=environment, stdout=out, stderr=register)  # nosec B603 # our own command


def sync(environment: dict[str, str], home: Path, *arguments: str) -> Run:
    """One run to its end."""
    begin = time.monotonic()
    with started(environment, home, *arguments) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    calls: Counter[str] = Counter()
    waited = 0.0
    for line in (home / "sync.log").read_text().splitlines():
        if found := _CALL.search(line):
            calls[found[1] or found[3]] += 1
            waited += float(found[2] or found[4]) / 1_000
    processor = used.ru_utime + used.ru_stime
    return Run(process.returncode, calls, waited, wall, processor, used.ru_maxrss / 1_024)


def killed_and_resumed(outside: SandboxProcess, environment: dict[str, str], home: Path) -> int:
    """Every tenth plan changes; a run is killed in the middle of its writes. Rows that were written twice."""
    for number in range(0, WRONG * 10, 10):
        fields = {"Support_Level__c": "Silver"}
        answer = outside.http.patch(
            "/control/salesforce/records", json={"object": "Account", "id": key(number), "fields": fields}
        )
        assert answer.is_success
    before = writes(outside)
    with started(environment, home, "--full") as process:
        eventually_now(
            lambda: _written(home) >= WRONG // 3, within=200, every=0.05, about="a third is written"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    begin = time.monotonic()
    while (run := sync(environment, home, "--full")).code != 0:  # the dead one's lease
        assert "another run" in (home / "sync.log").read_text(), (home / "sync.log").read_text()[-2_000:]
        assert time.monotonic() - begin < 200
        time.sleep(5)
    check(outside, "silver")
    assert run.code == 0
    return writes(outside) - before - WRONG


def _written(home: Path) -> int:
    """How many rows the running command says it has written; asking the stand-in would slow it down."""
    found = re.findall(rf"(\d+) of {WRONG} written", (home / "sync.log").read_text())
    return int(found[-1]) if found else 0


def writes(outside: SandboxProcess) -> int:
    """Organizations that were written so far."""
    found = outside.http.get("/control/summary").json()["ledger"]
    return int(found.get("zendesk.organization.updated", 0))


def check(outside: SandboxProcess, plan: str = "gold") -> None:
    """Every organization is what its account says."""
    ids = [key(n) for n in range(0, ACCOUNTS, 10)] + [key(n) for n in range(ACCOUNTS - NEW, ACCOUNTS)]
    for some in batched(ids, 100):
        answer = outside.http.get(
            "/zendesk/api/v2/organizations/show_many",
            params={"external_ids": ",".join(some)},
            auth=INTEGRATION_LOGIN,
        )
        found = answer.json()["organizations"]
        assert len(found) == len(set(some)), "each account has one organization"
        plans = {each["organization_fields"]["support_level"] for each in found}
        assert plans <= {plan, "gold"}, plans
