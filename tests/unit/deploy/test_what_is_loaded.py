"""What processes load: a worker and a full sync may take 150 MB each, and the web server's part alone is a twelfth."""

import subprocess
import sys

import pytest

WORKERS = "csat.wiring, notifier.wiring, sfdc_sync.processes"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("sfdc_sync.__main__", ("fastapi", "uvicorn", "jinja2", "alembic")),
        (WORKERS, ("fastapi", "alembic", "supportops.web.app")),
    ],
    ids=["command", "workers"],
)
def test_what_is_not_needed_is_not_loaded(modules: str, heavy: tuple[str, ...]) -> None:
    program = f"import sys, {modules}; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], "see docs/decisions/0190-commands-load-little.md"
