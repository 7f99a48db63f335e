"""Pages as HTML. Whatever is laid into a template is escaped; the one style is allowed by its hash."""

from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from csat.survey_link.translations import Language

TEMPLATES = Environment(
    loader=PackageLoader("csat.survey_page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
STYLE = TEMPLATES.get_template("page.css").render()
"""The one style of these pages."""


def page(template: str, status: int, language: Language, **values: Any) -> HTMLResponse:
    """A page in one language; templates know it as `language`, and its texts as `t`."""
    text = TEMPLATES.get_template(template).render(language=language, t=language.texts, **values)
    headers = {"Content-Language": language.code, "Vary": "Accept-Language"}
    return HTMLResponse(text, status_code=status, headers=headers)


def explanation(status: int, language: Language, why: str) -> HTMLResponse:
    """A page that says what happened: the texts `why` and `why`_text."""
    title, message = (getattr(language.texts, name) for name in (why, f"{why}_text"))
    return page("message.html", status, language, title=title, message=message)
