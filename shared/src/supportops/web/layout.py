"""How the operators' pages look: one layout and one style, allowed by its hash; no script, nothing of other hosts."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from supportops.web.security_headers import security_headers
from supportops.web.site import Site

STYLE = "operators.css"
Filter = Callable[..., str]


def breakable(text: str) -> Markup:
    """`text`, escaped, such that a narrow page breaks names of machines (`org_name_mismatch:17`) at their joints.

    An option (`--repair`) and a day stay whole: browsers would break them behind their hyphens.
    """
    words = (
        Markup('<span class="joined">{}</span>').format(word)
        if re.match(r"--|\d{4}-\d\d-\d\d", word)
        else Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=_)(?=\w)|(?<=[a-z]:)(?=\w)", word))
        for word in text.split(" ")
    )
    return Markup(" ").join(words)


@cache
def _environment(package: str, filters: tuple[Filter, ...]) -> Environment:
    """The compiled templates of a package, one for all of its pages in this process."""
    loaders = [PackageLoader(name) for name in dict.fromkeys((package, "supportops.web"))]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({each.__name__: each for each in (breakable, *filters)})
    return environment


class PageLayout:
    """Renders the templates of one package inside the layout of this one.

    A template begins with `{% extends "layout.html" %}` and fills the blocks `title` and `content`.
    """

    def __init__(self, package: str, site: Site, filters: tuple[Filter, ...] = ()) -> None:
        """`filters`: functions that the package's templates know by their own names."""
        self.templates = _environment(package, filters)
        self._site = site
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
            site=self._site, operator=operator, here=request.url.path, **values
        )
        headers = security_headers(self._style, images) if images else self.headers
        return HTMLResponse(text, status_code=status, headers=headers)
