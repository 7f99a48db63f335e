"""Measured process: the same posts at the same moments by bare httpx, the floor of the row of breach notices.

Arguments: SANDBOX COUNT SECONDS. Prints how late the answers were, in seconds. Moments are whole seconds, as those of
notices. Nobody gives up waiting for a connection, which is part of the figure; no more requests wait
for one than there are channels, as httpx looks through all of them for each.
"""

import asyncio
import json
import sys
import time

import httpx

from bench.figures import percentile
from supportops.runtime.supervisor import run

CHANNELS = 200
CONNECTIONS = 50
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
PATIENCE = httpx.Timeout(60, pool=None)


async def main(sandbox: str, count: str, seconds: str) -> int:
    """Post `count` messages over `seconds`, each as soon as it is due and the one before it in its channel is there."""
    begin = time.monotonic() + 1
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    due = [begin + int(float(seconds) * number / int(count)) for number in range(int(count))]
    async with httpx.AsyncClient(
        base_url=sandbox, headers=headers, limits=LIMITS, timeout=PATIENCE
    ) as client:
        rows = await asyncio.gather(*(post(client, n, due[n::CHANNELS]) for n in range(CHANNELS)))
    late = [each for row in rows for each in row]
    shares = {f"late_{share}": percentile(late, share) for share in (0.5, 0.99, 1)}
    sys.stdout.write(json.dumps(shares) + "\n")
    return 0


async def post(client: httpx.AsyncClient, channel: int, due: list[float]) -> list[float]:
    """How late the answer to each post of one channel was."""
    late = []
    for moment in due:
        await asyncio.sleep(moment - time.monotonic())
        body = {"channel": f"C0B{channel:03}", "text": "Ticket"}
        answer = await client.post("/slack/api/chat.postMessage", json=body)
        if answer.json().get("ok") is not True:
            raise RuntimeError(f"the stand-in refused a post: {answer.text[:200]}")
        late.append(time.monotonic() - moment)
    return late


if __name__ == "__main__":
    run(main(*sys.argv[1:4]))
