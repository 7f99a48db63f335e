"""The doctor's look at the survey page from where customers come: by its public address.

It proves that name, certificate and way lead to our page from *this* machine. It cannot prove that a customer's network
comes through as well: a firewall or a split DNS may treat them otherwise (docs/csat.md says how to look from there).
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from supportops.errors import Retryable
from supportops.operations.checks import Check, Finding, skew_of_date
from supportops.vendors.http_client import make_client, map_transport_errors

MADE_UP = "doctor.made.up"
"""A token that nobody signed: our page answers 400, and nobody's survey is touched."""
RENEW = timedelta(days=14)
_SEEN_FROM = "as seen from this machine"
_REACH = "Check CSAT_BASE_URL, the DNS entry, and that the proxy passes /s/ on to csat-web."


def public_checks(base_url: str) -> list[Check]:
    """Name, certificate and page of the address that survey links begin with."""
    host = urlsplit(base_url).hostname or ""
    return [
        Check("survey address", lambda: _address(base_url, host), _REACH),
        Check("survey certificate", lambda: _certificate(base_url, host), _REACH),
        Check("survey page", lambda: _page(base_url), _REACH),
    ]


async def _address(base_url: str, host: str) -> Iterable[Finding]:
    """Where the name leads, and whether the world can go there."""
    name, loop = "survey address", asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [Finding(name, "failed", f"{host} has no address: {error.strerror}", _REACH)]
    addresses = sorted({str(row[4][0]) for row in found})
    near = [each for each in addresses if not ipaddress.ip_address(each.partition("%")[0]).is_global]
    if near:
        words = f"{host} is {', '.join(near)} {_SEEN_FROM}: not an address of the public internet"
        remedy = "Fine in a trial; customers need a public name. With split DNS, look from outside."
        return [Finding(name, "warning", words, remedy)]
    if urlsplit(base_url).scheme != "https":
        return [
            Finding(name, "failed", "links begin with http", "Give customers https: put TLS before csat-web.")
        ]
    return [Finding(name, "ok", f"{host} is {', '.join(addresses)}, {_SEEN_FROM}")]


async def _certificate(base_url: str, host: str) -> Iterable[Finding]:
    """Whether browsers will trust it, and for how long."""
    name, parts = "survey certificate", urlsplit(base_url)
    if parts.scheme != "https":
        return [Finding(name, "skipped", "the address is not https")]
    try:
        _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "Install a certificate for this name, with its whole chain, from an authority that browsers know."
        )
        return [Finding(name, "failed", error.verify_message, remedy)]
    except OSError as error:
        return [Finding(name, "failed", f"no TLS connection: {error}", _REACH)]
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    verdict: Finding = Finding(name, "ok", f"valid until {ends:%Y-%m-%d}")
    if ends - datetime.now(UTC) < RENEW:
        return [Finding(name, "warning", f"valid only until {ends:%Y-%m-%d}", "Renew it.")]
    return [verdict]


async def _page(base_url: str) -> Iterable[Finding]:
    """A link that nobody signed must meet our refusal: 400, as HTML, under our content security policy."""
    name, began = "survey page", datetime.now(UTC)
    async with make_client(base_url) as client:
        try:
            with map_transport_errors("GET", "a made-up survey link"):
                response = await client.get(f"{base_url}/s/{MADE_UP}", headers={"Accept": "text/html"})
        except Retryable as error:
            return [Finding(name, "failed", str(error), _REACH)]
    clock = skew_of_date("clock: survey page", response.headers.get("date", ""), began, datetime.now(UTC))
    guarded = "default-src 'none'" in response.headers.get("content-security-policy", "")
    if response.status_code == 400 and guarded:
        return [Finding(name, "ok", f"answers a made-up link as it should, {_SEEN_FROM}"), clock]
    words = f"a made-up link is answered with {response.status_code}, not with our page's 400"
    if response.status_code == 400:
        words = "a made-up link is answered with 400, but not by our page: its security headers are missing"
    return [Finding(name, "failed", words, _REACH), clock]
