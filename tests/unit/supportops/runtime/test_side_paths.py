"""The side port answers its three paths, and sends nobody elsewhere."""

import httpx

from supportops.observability.metrics import Metrics
from supportops.runtime.side_server import side_app
from tests.support.for_each import for_each


@for_each("path, status", [("/healthz", 200), ("/readyz", 200), ("/readyz/", 404), ("//evil.example/", 404)])
async def test_another_spelling_is_no_redirect_to_the_host_that_was_named(path: str, status: int) -> None:
    app = httpx.ASGITransport(side_app((), Metrics()))
    async with httpx.AsyncClient(transport=app, base_url="http://evil.example") as client:
        answer = await client.get(httpx.URL(f"http://evil.example{path}"))
    assert answer.status_code == status
    assert "location" not in answer.headers
