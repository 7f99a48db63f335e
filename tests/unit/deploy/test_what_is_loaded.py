"""What processes load: a worker and a full sync may take 150 MB each, the web server's part alone is a twelfth; and
importing everything takes two seconds of processor time, at every start of every process.
"""

import subprocess
import sys

import pytest

SERVICES = ("csat", "ingest", "notifier", "sfdc_sync")
WEB = ("fastapi", "opentelemetry", "supportops.web.app")
BROKER = ("aiokafka", "supportops.messaging")
VENDORS = ("httpx", "aiohttp", "requests", "simple_salesforce", "supportops.vendors")
LIGHT = ", ".join(f"{name}.__main__, {name}.tables" for name in SERVICES)
STARTED = "; ".join(f"supportops.store.migrate.current_head({name!r})" for name in SERVICES)
"""What every process asks at its start."""


@pytest.mark.parametrize(
    ("modules", "then", "heavy"),
    [
        (
            f"supportops.store.migrate, {LIGHT}",
            STARTED,
            (*WEB, *BROKER, *VENDORS, "alembic", "jinja2", "uvicorn"),
        ),
        ("sfdc_sync.commands", "", (*WEB, "jinja2", "uvicorn", "alembic")),
        (
            "csat.wiring, notifier.wiring, sfdc_sync.processes, supportops.store.migrate",
            STARTED,
            (*WEB, "alembic"),
        ),
        ("sandbox.server", "", ("httpx", "supportops")),
    ],
    ids=["migrate", "command", "workers", "sandbox"],
)
def test_what_is_not_needed_is_not_loaded(modules: str, then: str, heavy: tuple[str, ...]) -> None:
    """`migrate`: whatever is not asked for by name; it loads Alembic itself."""
    program = f"import sys, {modules}; {then}\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], "see docs/decisions/0190-commands-load-little.md"
