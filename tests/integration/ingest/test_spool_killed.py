"""The spool when its process is killed and when its disk is full."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from ingest.webhooks.spool import Spool

FULL_DISK = """
    import resource, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ingest.webhooks.repository import SignedRequest
    from ingest.webhooks.spool import Spool, SpoolFailed
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(Path(sys.argv[1]))
    spool.append([SignedRequest(datetime.now(UTC), {}, b"kept")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    try:
        spool.append([SignedRequest(datetime.now(UTC), {}, b"x" * 20_000)])
    except SpoolFailed:
        print("failed")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    spool.append([SignedRequest(datetime.now(UTC), {}, b"kept too")])
"""


def test_a_full_disk_costs_only_what_did_not_fit(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    command = [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "failed\n"
    spool = Spool(tmp_path)
    bodies: list[bytes] = []
    while segment := spool.take():
        bodies += [each.body for each in segment.content.received]
        assert segment.content.damaged == 0
        spool.done(segment)
        spool.release(segment)
    assert bodies == [b"kept", b"kept too"]


WRITE_FOR_EVER = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ingest.webhooks.repository import SignedRequest
    from ingest.webhooks.spool import Spool
    spool, number = Spool(Path(sys.argv[1])), 0
    while True:
        spool.append([SignedRequest(datetime.now(UTC), {}, b"%d" % (number + n)) for n in range(7)])
        number += 7
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITE_FOR_EVER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = 0
        for line in process.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
            if acknowledged > 300:
                os.kill(process.pid, signal.SIGKILL)
    spool = Spool(tmp_path)
    segment = spool.take()
    assert segment is not None
    spool.done(segment)
    spool.release(segment)
    numbers = [int(each.body) for each in segment.content.received]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= acknowledged > 300
