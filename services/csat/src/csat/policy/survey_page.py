"""What the organization decides about the survey page (YAML: `csat.page`)."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field

from supportops.config.rules_file import Rules


class SurveyPagePolicy(Rules):
    """Languages and limits of the survey page."""

    locale: str = Field(
        "en", description="Language of those who want none of ours, such as en, de; its texts must be there."
    )
    texts_folder: Path | None = Field(
        None,
        description="Folder with texts of yours, a YAML file per locale; relative to the rules' file. null: none.",
    )
    confirm: bool = Field(
        False,
        description="A second step that needs a person: a box to tick before a vote counts. Robots that press buttons, "
        "as some mail scanners do, do not tick it.",
    )
    agent_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Networks that your agents' browsers come from, such as 203.0.113.0/24: agents see the links in "
        "their tickets. A vote from there counts, and is flagged wherever answers are shown. Behind a proxy this needs "
        "HTTP_TRUSTED_PROXIES.",
    )
    posts_per_minute_and_link: int = Field(
        20, ge=1, le=1000, description="How often a form may be sent per survey link and minute."
    )
    posts_per_minute: int = Field(1200, ge=1, le=100_000, description="The same for all links together.")
