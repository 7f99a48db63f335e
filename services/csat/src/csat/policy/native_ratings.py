"""What the organization decides about ratings that Zendesk itself collects (YAML: `csat.native_ratings`)."""

from typing import Literal

from pydantic import Field

from supportops.config.rules_file import Rules

Score = Literal["good", "bad"]


class NativeRatingsPolicy(Rules):
    """How Zendesk's own answers are read as ours; legacy ratings and surveys exclude each other per account."""

    kind: Literal["ratings", "surveys"] = Field(
        "ratings", description="Legacy good/bad ratings, or the newer surveys with a scale."
    )
    scale: dict[int, Score] = Field(
        {1: "bad", 2: "bad", 3: "bad", 4: "good", 5: "good"},
        description="What each number of a survey's scale means; the default is Zendesk's own reading of five.",
    )
    reasons: dict[str, str] = Field(
        {
            "The issue took too long to resolve": "The answer wasn't delivered in a timely manner",
            "The issue was not resolved": "My issue was not resolved",
            "The agent's knowledge is unsatisfactory": "The answer wasn't helpful",
            "The agent's attitude is unsatisfactory": "Some other reason",
        },
        description="Which reason of ours a reason of Zendesk's is (C10), by its text in any case.",
    )
    no_reason: tuple[str, ...] = Field(
        ("No reason provided", "None", "-"),
        description="Zendesk's words for no reason at all, in any case: they are not a choice.",
    )
    other_reason: str = Field(
        "Some other reason", description="Which reason of ours any other reason of Zendesk's is."
    )
    locale: str = Field(
        "en-us", description="Language in which answers to surveys are read, for their labels."
    )
