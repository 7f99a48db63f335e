"""What every HTTP client of the stand-ins, the demo and the tests is handed."""

import ssl
from functools import cache

import httpx


@cache
def tls() -> ssl.SSLContext:
    """How to check certificates. Made once: a client that is not handed one reads every authority again (34 ms)."""
    return httpx.create_ssl_context()
