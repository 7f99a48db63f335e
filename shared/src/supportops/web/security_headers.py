"""The headers that every answer to a browser has, and the one style that its page may use."""

import base64
import hashlib
from collections.abc import Iterable

ALWAYS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""For answers of an https address alone. Not for subdomains: what else stands below it is not ours to decide."""


def security_headers(style: str | None = None, images: Iterable[str] = ()) -> dict[str, str]:
    """No script, nothing of other hosts, no frame; `style` is the text of the one style that a page may have.

    `images`: origins whose pictures it may show, such as https://csat.example.com.
    """
    policy = ["default-src 'none'"]
    if style is not None:
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy.append(f"style-src 'sha256-{digest}'")
    if shown := " ".join(images):
        policy.append(f"img-src {shown}")
    policy += ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
    return {"Content-Security-Policy": "; ".join(policy), **ALWAYS}
