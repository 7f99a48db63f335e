"""Every module imports without network, environment or side effects."""

import subprocess
import sys
from pathlib import Path

from tests.architecture import tree

# Alembic runs these two kinds itself, inside its own context.
NOT_IMPORTABLE = ("/migrations/env.py", "/migrations/versions/")

PROGRAM = """
import importlib, os, socket, sys
os.environ.clear()
def refuse(*_args, **_more):
    raise RuntimeError("network at import")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
sys.exit(bool(failed))
"""


def _dotted(path: str) -> str:
    inside = path.partition("/src/")[2].removesuffix(".py").removesuffix("/__init__")
    return inside.replace("/", ".")


def test_every_module_imports_without_network_or_environment(tmp_path: Path) -> None:
    names = [_dotted(m.path) for m in tree.sources() if not any(part in m.path for part in NOT_IMPORTABLE)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []
