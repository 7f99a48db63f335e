"""The short form of the bad days, for the gate: each happens once while webhooks flow (`make chaos`: the long ones)."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos import adversities
from tests.chaos.place import clean, open_place

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]


def test_a_bad_minute(tmp_path: Path) -> None:
    with ExitStack() as stack:
        workers = {"csat": 2, "sfdc_sync": 1, "notifier": 1}
        forked = ("sandbox", "migrate", "ingest", *workers)
        place = open_place(stack, tmp_path, workers, named_members=True, forked=forked)
        system = place.system

        def trouble() -> None:
            # Who is killed comes last: a start without a database ends, and only costs time here.
            adversities.slack_storm(system, 3)
            adversities.sessions_expire(system, 1)
            adversities.lost_answers(system, 2)
            adversities.away(system, place.kafka, 1)
            adversities.away(system, place.postgres, 1)
            adversities.kill_one_of_each(system, random.Random(20261122), every=0.8)

        adversities.send_while(system, 150, 8, trouble)
        clean(system)
        codes = system.stop()
        assert {name: code for name, code in codes.items() if name != "sandbox" and code != 0} == {}
