"""How the operators' pages look: one shell and one style, allowed by its hash; no script, nothing of other hosts."""

import base64
import hashlib
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

STYLE = "operators.css"


class PageLayout:
    """Renders the templates of one package inside the shell of this one.

    A template begins with `{% extends "layout.html" %}` and fills the blocks `title` and `content`.
    """

    def __init__(self, package: str) -> None:
        loaders = [PackageLoader(name) for name in dict.fromkeys((package, "supportops.web"))]
        self.templates = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.headers = _headers(self.templates.get_template(STYLE).render())

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page, for whoever the gate let in (`request.state.visitor`), if anybody."""
        visitor = getattr(request.state, "visitor", None)
        text = self.templates.get_template(template).render(visitor=visitor, **values)
        return HTMLResponse(text, status_code=status, headers=self.headers)


def _headers(style: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }
