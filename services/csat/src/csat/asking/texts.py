"""The comment that asks for a rating: written from a template, and recognised on a ticket."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from csat.page.tokens import SurveyTokens
from supportops.vendors.zendesk import Comment

_TEXTS = Environment(
    loader=PackageLoader("csat.asking"), autoescape=select_autoescape(("html",)), undefined=StrictUndefined
)


class SurveyText:
    """The comment that asks, and its recognition on a ticket."""

    def __init__(self, base_url: str, tokens: SurveyTokens) -> None:
        self._base_url = base_url
        self._tokens = tokens

    def write(self, survey_id: str) -> str:
        """The comment for a survey, with freshly signed links."""
        link = f"{self._base_url}/s/{self._tokens.issue(survey_id)}"
        return _TEXTS.get_template("survey_comment.txt").render(link=link)

    def is_in(self, comment: Comment, survey_id: str) -> bool:
        """Whether the comment holds a link to this survey."""
        return self._tokens.is_in(comment.body, survey_id)
