"""How the operators' pages look: one layout and one style, allowed by its hash; no script, nothing of other hosts."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from supportops.web.security_headers import security_headers
from supportops.web.site import Site

STYLE = "operators.css"


class PageLayout:
    """Renders the templates of one package inside the layout of this one.

    A template begins with `{% extends "layout.html" %}` and fills the blocks `title` and `content`.
    """

    def __init__(self, package: str, site: Site) -> None:
        loaders = [PackageLoader(name) for name in dict.fromkeys((package, "supportops.web"))]
        self.templates = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals["site"] = site
        self._style = self.templates.get_template(STYLE).render()
        self.headers = security_headers(self._style)

    def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        images: tuple[str, ...] = (),
        **values: Any,
    ) -> HTMLResponse:
        """The page, for whoever was let in (`request.state.operator`); `images`: origins of its pictures."""
        operator = getattr(request.state, "operator", None)
        text = self.templates.get_template(template).render(
            operator=operator, here=request.url.path, **values
        )
        headers = security_headers(self._style, images) if images else self.headers
        return HTMLResponse(text, status_code=status, headers=headers)
