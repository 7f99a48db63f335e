"""Measured process: the same posts at the same moments by bare httpx, the floor of the row of breach notices.

Arguments: SANDBOX COUNT SECONDS. Prints how late the answers were, in seconds. Moments are whole seconds, as those of
notices. Nobody gives up waiting for a connection: how long that takes is part of the figure.
"""

import asyncio
import json
import sys
import time

import httpx

from bench.figures import percentile
from supportops.runtime.supervisor import run

CHANNELS = 200
LIMITS = httpx.Limits(max_connections=CHANNELS, max_keepalive_connections=CHANNELS)
PATIENCE = httpx.Timeout(60, pool=None)


async def main(sandbox: str, count: str, seconds: str) -> int:
    """Post `count` messages over `seconds`, each as soon as it is due."""
    begin = time.monotonic() + 1
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    async with httpx.AsyncClient(
        base_url=sandbox, headers=headers, limits=LIMITS, timeout=PATIENCE
    ) as client:
        due = [int(float(seconds) * number / int(count)) for number in range(int(count))]
        late = await asyncio.gather(*(post(client, n, begin + at) for n, at in enumerate(due)))
    shares = {f"late_{share}": percentile(list(late), share) for share in (0.5, 0.99, 1)}
    sys.stdout.write(json.dumps(shares) + "\n")
    return 0


async def post(client: httpx.AsyncClient, number: int, due: float) -> float:
    """How late the answer to one post was."""
    await asyncio.sleep(due - time.monotonic())
    body = {"channel": f"C0B{number % CHANNELS:03}", "text": f"Ticket {number}"}
    answer = await client.post("/slack/api/chat.postMessage", json=body)
    if answer.json().get("ok") is not True:
        raise RuntimeError(f"the stand-in refused a post: {answer.text[:200]}")
    return time.monotonic() - due


if __name__ == "__main__":
    run(main(*sys.argv[1:4]))
