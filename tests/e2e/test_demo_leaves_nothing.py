"""`make demo` starts, says where everything is, and leaves nothing running when it is interrupted."""

import json
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.architecture.tree import ROOT
from tests.support.eventually import eventually_now
from tests.support.processes import answers, clean_environment, python_module

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

KEYS = {"ingest", "csat", "notifier", "sandbox", "kafka", "webhook_secret"}


def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    command = python_module("sandbox.demo", "run", "--home", str(home), "--config", "config/demo.yaml")
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment({}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as demo:
        endpoints = home / "endpoints.json"
        eventually_now(endpoints.exists, within=120, about="endpoints.json")
        places = json.loads(endpoints.read_text())
        family = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGINT)
        said = demo.communicate(timeout=60)[0]
    assert set(places) == KEYS
    assert demo.returncode == 0, said
    assert len(family) >= 6
    assert [process for process in family if process.is_running()] == []
    assert [place for place in places.values() if ":" in place and answers(port_of(place))] == []


def port_of(place: str) -> int:
    return urlsplit(place).port or int(place.rpartition(":")[2])
