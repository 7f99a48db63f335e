"""`.ci/run`: every stage is run, what failed is named, a gate that takes too long fails, pytest has the last word."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

STAGES = ["make install", "make --keep-going check", "make demo-check", "make test"]
CLOSING = "===== 3 passed in 0.01s ====="
MAKE = f"""#!/bin/sh
echo "make $*" >> "$CALLS"
[ "$*" = test ] && echo "{CLOSING}"
[ "$*" = "$SLOW" ] && sleep 2
[ "$*" != "$BROKEN" ]
"""


def gate(folder: Path, **environment: str) -> tuple["subprocess.CompletedProcess[str]", list[str]]:
    """Run it with a `make` that does nothing and an `apt-get` that installs nothing."""
    for name, script in (("make", MAKE), ("apt-get", "#!/bin/sh\nexit 1\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(folder / "calls"), "SLOW": "", "BROKEN": ""}
    done = subprocess.run(
        [str(ROOT / ".ci/run")],
        env=os.environ | own | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, (folder / "calls").read_text().splitlines()


def test_all_stages_and_pytests_last_word(tmp_path: Path) -> None:
    done, calls = gate(tmp_path)
    assert (done.returncode, done.stderr, calls) == (0, "", STAGES)
    assert done.stdout.rstrip().endswith(CLOSING)


@pytest.mark.parametrize("broken", ["--keep-going check", "demo-check", "test"])
def test_what_failed_is_named_and_the_rest_is_run(tmp_path: Path, broken: str) -> None:
    done, calls = gate(tmp_path, BROKEN=broken)
    assert (done.returncode, calls) == (1, STAGES)
    assert done.stderr == f"failed: make {broken}\n"


def test_a_gate_that_takes_too_long_fails(tmp_path: Path) -> None:
    done, _ = gate(tmp_path, SLOW="demo-check", GATE_SECONDS="1")
    assert done.returncode == 1
    assert "the time limit: " in done.stderr
