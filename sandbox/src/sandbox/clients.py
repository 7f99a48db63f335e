"""What every HTTP client of the stand-ins, the demo and the tests is handed."""

import ssl
from functools import cache


@cache
def tls() -> ssl.SSLContext:
    """How to check certificates. Made once: a client that is not handed one reads every authority again (34 ms)."""
    import httpx  # the stand-ins themselves do without, until a test presses a button in Slack

    return httpx.create_ssl_context()
