"""What an answer that Zendesk collected means to us (docs/vendors/zendesk.md#ratings). Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from csat.policy.native_ratings import NativeRatingsPolicy, Score
from csat.ratings.answer import Answer, clean
from supportops.vendors.zendesk import SatisfactionRating, SurveyAnswer, SurveyResponse


@dataclass(frozen=True)
class NativeRating:
    """An answer given in Zendesk: when, by whom, and since when they were asked; None where Zendesk did not tell."""

    answer: Answer
    rated_at: datetime | None
    asked_at: datetime | None
    requester_id: str | None


@dataclass(frozen=True)
class NativeRatingMapper:
    """How Zendesk's words become ours: the rules, the reasons a bad rater may give, and how long a comment may be."""

    policy: NativeRatingsPolicy
    reasons: Collection[str]
    comment_limit: int

    def of_rating(self, rating: SatisfactionRating) -> NativeRating | None:
        """A legacy rating; None where it is none: offered, unoffered, or a word that we do not know."""
        score = _score(rating.score)
        if score is None:
            return None
        answer = self._answer(score, rating.comment, rating.reason)
        return NativeRating(answer, rating.updated_at, rating.created_at, rating.requester_id)

    def of_response(self, response: SurveyResponse) -> NativeRating | None:
        """A survey response; None while it is not answered, or with a number that the scale does not have."""
        rated = next((each for each in response.answers if each.rating is not None), None)
        score = self._rated(rated) if rated is not None else None
        if score is None:
            return None
        comment = "\n\n".join(each.value for each in response.answers if each.value)
        reason = next((label for each in response.answers if (label := _label(each))), None)
        moments = [each.updated_at for each in response.answers if each.updated_at is not None]
        asked = [each.created_at for each in response.answers if each.created_at is not None]
        return NativeRating(
            self._answer(score, comment, reason),
            max(moments, default=None),
            min(asked, default=None),
            response.responder_id,
        )

    def reason_of(self, text: str | None) -> str | None:
        """Which of our reasons Zendesk's is; a text that nobody mapped is `other_reason`."""
        said = clean(text or "").casefold()
        if not said or said in {word.casefold() for word in self.policy.no_reason}:
            return None
        mapped = {their.casefold(): ours for their, ours in self.policy.reasons.items()}
        ours = {reason.casefold(): reason for reason in self.reasons}
        return mapped.get(said) or ours.get(said) or self.policy.other_reason

    def _rated(self, answer: SurveyAnswer) -> Score | None:
        mapped = self.policy.scale.get(answer.rating or 0)
        return mapped or _score(answer.rating_category or "")

    def _answer(self, score: Score, comment: str | None, reason: str | None) -> Answer:
        said = clean(comment or "")[: self.comment_limit].strip() or None
        return Answer(score, said, self.reason_of(reason) if score == "bad" else None)


def _score(word: str) -> Score | None:
    """`good` or `bad`, in any case, and with what trigger conditions append (goodwithcomment)."""
    lower = word.strip().lower()
    if lower.startswith("good"):
        return "good"
    return "bad" if lower.startswith("bad") else None


def _label(answer: SurveyAnswer) -> str | None:
    """The words of the option that was chosen, where the question was a choice."""
    for selection in answer.selections:
        option = selection.get("option")
        label = option.get("label") if isinstance(option, dict) else None
        text = label.get("value") if isinstance(label, dict) else label
        if isinstance(text, str) and text.strip():
            return text
    return None
