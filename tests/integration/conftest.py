"""One sandbox for all folders: a process for the session, as good as new for each test."""

from collections.abc import Iterator

import pytest

from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The stand-ins as a real process, one for each worker of pytest-xdist."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox_url(sandbox_process: SandboxProcess) -> str:
    """The address of a sandbox without memory of other tests: seeds, no faults, the limits of a fresh start."""
    sandbox_process.reset()
    return sandbox_process.url
