"""The comment that asks for a rating: written in the requester's language, and recognised on a ticket."""

from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import Languages, shipped
from supportops.vendors.zendesk import Comment


class SurveyText:
    """The comment that asks, and its recognition on a ticket. `languages`: the shipped ones by default."""

    def __init__(self, base_url: str, tokens: SurveyTokens, languages: Languages | None = None) -> None:
        self._base_url = base_url
        self._tokens = tokens
        self._languages = languages or shipped()

    def write(self, survey_id: str, locale: str | None = None) -> str:
        """The comment for a survey, with freshly signed links; `locale` as Zendesk names it ("de", "pt-BR")."""
        link = f"{self._base_url}/s/{self._tokens.issue(survey_id)}"
        mail = self._languages.choose(locale).texts.mail
        return mail.format(good_link=f"{link}?score=good", bad_link=f"{link}?score=bad").strip()

    def surveys_in(self, comment: Comment) -> list[str]:
        """The surveys that the comment holds links of ours to."""
        return self._tokens.surveys_in(comment.body)

    def is_in(self, comment: Comment, survey_id: str) -> bool:
        """Whether the comment holds a link to this survey."""
        return self._tokens.is_in(comment.body, survey_id)
