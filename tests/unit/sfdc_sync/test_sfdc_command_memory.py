"""What a command of sfdc-sync loads: a full sync may take 150 MB, and a web server alone is a twelfth of that."""

import subprocess
import sys

HEAVY = ("fastapi", "uvicorn", "jinja2", "alembic")


def test_a_command_loads_neither_web_server_nor_migrations() -> None:
    program = f"import sys, sfdc_sync.__main__; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], "see docs/decisions/0190-commands-load-little.md"
