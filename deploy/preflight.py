"""Runs once before everything else in compose: is each value that has no default there?

Real accounts come from `.env`. Where the stand-ins run (`--profile sandbox`) their published values fill the gaps; without
them every missing value is named in one message and nothing else is started. Reads only whether a value is set.
"""

import os
import sys
import urllib.error
import urllib.request

SANDBOX = "http://sandbox:9400/healthz"


def sandbox_runs() -> bool:
    """Whether the stand-ins answer; their name resolves only when the profile is on."""
    try:
        with urllib.request.urlopen(SANDBOX, timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def main() -> int:
    """0 when the services may start."""
    names = os.environ["REQUIRED"].split()
    missing = [name for name in names if not os.environ.get(name)]
    if not missing:
        print("preflight: every account and password is set")
        return 0
    if sandbox_runs():
        print(f"preflight: the sandbox stands in for {len(missing)} of {len(names)} values; nothing real is touched")
        return 0
    print(
        "preflight: these values are missing in .env (.env.example explains each):\n  "
        + "\n  ".join(missing)
        + "\nTo try supportops without accounts: docker compose --profile sandbox up --build",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
