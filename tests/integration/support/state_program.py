"""A process that says as JSON in what state it begins: `state_program WORD...`."""

import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import threading
import time

OF_A_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}
"""What the shell that announces a process to the reaper may add."""


def state() -> dict[str, object]:
    """What a program of ours relies on, and what one that is forked could have from whom forked it."""
    return {
        "arguments": sys.argv,
        "environment": {name: value for name, value in os.environ.items() if name not in OF_A_SHELL},
        "folder": os.getcwd(),
        "zone": time.tzname,
        "files": sorted(
            name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")
        ),
        "streams": [(each.encoding, each.line_buffering) for each in (sys.stdin, sys.stdout)],
        "handlers": {
            each.name: str(signal.getsignal(each)) for each in signal.Signals if each != signal.SIGINT
        },
        "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "waking": signal.set_wakeup_fd(-1),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "leads": os.getsid(0) == os.getpgrp() == os.getpid(),
        "threads": threading.active_count(),
        "collects": (gc.isenabled(), gc.get_threshold()),
        "hooks": (sys.excepthook is sys.__excepthook__, faulthandler.is_enabled(), sys.flags.dev_mode),
        "limits": [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
        "umask": os.umask(0o022),
    }


if __name__ == "__main__":
    print(json.dumps(state()))
