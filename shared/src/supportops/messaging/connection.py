"""How clients of ours reach the broker, and how their connections end whatever happens."""

import asyncio
import ssl
from typing import Any

from supportops.config import KafkaSettings
from supportops.errors import Retryable

ASK_TIME_MS = 15_000
"""For a question that somebody waits for; the library's own 40 s look like a hang."""


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """How to reach the broker, for every client of ours."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.ca_file)
    if settings.security_protocol.startswith("SASL") and settings.sasl_password:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


def no_answer(error: BaseException) -> Retryable:
    """The error for a broker that is away, in words for an operator."""
    name, text = type(error).__name__, str(error)
    why = text if text.startswith(name) else f"{name} {text}".strip()
    return Retryable(f"the broker does not answer ({why}): check that it runs, and KAFKA_BOOTSTRAP_SERVERS")


async def close_for_good(client: Any, seconds: float) -> bool:
    """Stop a producer or consumer within `seconds`, and its connections in any case; whether it stopped in order.

    Cut off while the broker hangs, the library leaves its sockets open: one more with each try.
    """
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait((stopping,), timeout=seconds)
    in_order = stopping.done() and not stopping.cancelled() and stopping.exception() is None
    if not in_order:
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait((stopping,), timeout=1)
        await _drop_connections(client)
    return in_order


async def _drop_connections(client: Any) -> None:
    sender = getattr(client, "_sender", None)
    if sender is not None and sender.sender_task is not None:
        sender.sender_task.cancel()
        await asyncio.wait((sender.sender_task,), timeout=1)
    inner = getattr(client, "client", None) or client._client
    closing = asyncio.ensure_future(inner.close())
    await asyncio.wait((closing,), timeout=2)
    closing.cancel()
