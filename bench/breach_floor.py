"""Measured process: the same posts at the same moments by bare aiohttp, the floor of the row of breach notices.

Arguments: SANDBOX COUNT SECONDS. Prints how late the answers were, in seconds. Moments are whole seconds, as those of
notices. aiohttp lies below our own calls too; httpx over httpcore is several times slower with so many connections.
"""

import asyncio
import json
import sys
import time

import aiohttp

from bench.figures import percentile
from supportops.runtime.supervisor import run

CHANNELS = 200


async def main(sandbox: str, count: str, seconds: str) -> int:
    """Post `count` messages over `seconds`, each as soon as it is due and the one before it in its channel is there."""
    begin = time.monotonic() + 1
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    due = [begin + int(float(seconds) * number / int(count)) for number in range(int(count))]
    connector = aiohttp.TCPConnector(limit=CHANNELS)
    async with aiohttp.ClientSession(sandbox, headers=headers, connector=connector) as client:
        rows = await asyncio.gather(*(post(client, n, due[n::CHANNELS]) for n in range(CHANNELS)))
    late = [each for row in rows for each in row]
    shares = {f"late_{share}": percentile(late, share) for share in (0.5, 0.99, 1)}
    sys.stdout.write(json.dumps(shares) + "\n")
    return 0


async def post(client: aiohttp.ClientSession, channel: int, due: list[float]) -> list[float]:
    """How late the answer to each post of one channel was."""
    late = []
    for moment in due:
        await asyncio.sleep(moment - time.monotonic())
        body = {"channel": f"C0B{channel:03}", "text": "Ticket"}
        async with client.post("/slack/api/chat.postMessage", json=body) as answer:
            said = await answer.json()
        if said.get("ok") is not True:
            raise RuntimeError(f"the stand-in refused a post: {said}")
        late.append(time.monotonic() - moment)
    return late


if __name__ == "__main__":
    run(main(*sys.argv[1:4]))
