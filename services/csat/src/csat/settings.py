"""What differs per deployment (environment), and what the organization decides (YAML, section `csat`)."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from csat.policy.csat import disagreements
from csat.policy.feedback import FeedbackRules
from csat.policy.kpi import NumbersRules
from csat.policy.native_ratings import NativeRules
from csat.policy.quiet_hours import QuietHours
from csat.policy.survey_page import PageRules
from supportops.config import (
    Block,
    ConfigSettings,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    SecretList,
    ServiceSettings,
    ShutdownSettings,
    SideSettings,
    ZendeskSettings,
    safe_address,
)
from supportops.config.rules_file import Duration, Mistakes, Rules
from supportops.web.auth.passwords import is_hash

SHORTEST_SECRET = 16
_USER_HEADER = re.compile(r"[Xx]-[A-Za-z0-9-]{1,100}")

type Secrets = tuple[SecretStr, ...] | SecretStr | None

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,100}$")]


class SurveySettings(Block):
    """Survey links and the numbers' API."""

    model_config = SettingsConfigDict(env_prefix="CSAT_")

    base_url: str = Field(description="Public address of the survey page, e.g. https://survey.example.com.")
    link_keys: SecretList = Field(
        min_length=1,
        description="Keys that sign survey links, the current one first; older ones still open theirs.",
    )
    api_token: SecretStr = Field(description="Bearer token of /api/kpi; at least 16 characters.")

    @field_validator("base_url")
    @classmethod
    def _address_is_usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://survey.example.com")
        return value.rstrip("/")

    @field_validator("link_keys")
    @classmethod
    def _keys_are_long(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SHORTEST_SECRET for key in value):
            raise ValueError(f"every key must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("api_token")
    @classmethod
    def _token_is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value


class GitLabSettings(Block):
    """The GitLab that takes feedback issues; both unset: nothing is exported."""

    model_config = SettingsConfigDict(env_prefix="GITLAB_")

    base_url: str | None = Field(None, description="Address of GitLab, e.g. https://gitlab.example.com.")
    token: SecretStr | None = Field(
        None, description="Access token with the scope api, of a user who may label issues."
    )

    @field_validator("base_url")
    @classmethod
    def _address_is_safe(cls, value: str | None) -> str | None:
        return safe_address(value, "https://gitlab.example.com") if value else None

    @field_validator("token")
    @classmethod
    def _no_token_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value() else None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.base_url is None) != (self.token is None):
            missing = "GITLAB_TOKEN" if self.token is None else "GITLAB_BASE_URL"
            raise ValueError(f"{missing} is missing: set both to export feedback, or neither")
        return self


class DashboardSettings(Block):
    """Who may see the dashboard and the pages beside it; nobody while nothing is set."""

    model_config = SettingsConfigDict(env_prefix="CSAT_DASHBOARD_")

    password_hash: SecretStr | None = Field(
        None, description="Hash of the operators' password, as `csat hash-password` prints it."
    )
    session_keys: SecretList = Field(
        (),
        description="Keys that sign the operators' sessions, the current one first; at least 16 characters.",
    )
    session_lifetime: Duration = Field(
        timedelta(hours=12), description="How long an operator stays logged in."
    )
    login_attempts: int = Field(
        10,
        ge=1,
        le=600,
        description="Logins a minute that one address may try; six times that for all together.",
    )
    proxy_header: str | None = Field(
        None, description="Header in which a proxy that authenticates names the user, e.g. X-Forwarded-User."
    )
    proxy_secret: SecretStr | None = Field(
        None,
        description="What that proxy sends as X-Csat-Proxy-Secret, without which its header counts nothing.",
    )

    @field_validator("password_hash")
    @classmethod
    def _hash_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_hash(value.get_secret_value()):
            raise ValueError(
                "must be what `csat hash-password` prints, beginning with $argon2id$ (in a .env file: 'quoted')"
            )
        return value

    @field_validator("session_keys", "proxy_secret")
    @classmethod
    def _secrets_are_long(cls, value: Secrets) -> Secrets:
        secrets = value if isinstance(value, tuple) else (value,)
        if any(key is not None and len(key.get_secret_value()) < SHORTEST_SECRET for key in secrets):
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("proxy_header")
    @classmethod
    def _header_names_a_user(cls, value: str | None) -> str | None:
        if value is not None and not _USER_HEADER.fullmatch(value):
            raise ValueError("must be the name of a header that begins with X-, such as X-Forwarded-User")
        return value

    @model_validator(mode="after")
    def _nothing_is_half_set(self) -> Self:
        if (self.password_hash is None) != (not self.session_keys):
            raise ValueError("CSAT_DASHBOARD_PASSWORD_HASH and CSAT_DASHBOARD_SESSION_KEYS need each other")
        if (self.proxy_header is None) != (self.proxy_secret is None):
            raise ValueError("CSAT_DASHBOARD_PROXY_HEADER and CSAT_DASHBOARD_PROXY_SECRET need each other")
        if self.session_lifetime < timedelta(minutes=1):
            raise ValueError("CSAT_DASHBOARD_SESSION_LIFETIME must be at least a minute")
        return self


class Settings(ServiceSettings):
    """Everything csat reads from the environment."""

    kafka: KafkaSettings
    database: DatabaseSettings
    zendesk: ZendeskSettings
    survey: SurveySettings
    gitlab: GitLabSettings
    dashboard: DashboardSettings
    http: HttpSettings
    side: SideSettings
    shutdown: ShutdownSettings
    log: LogSettings
    config: ConfigSettings


class CsatRules(Rules):
    """The section `csat` of the YAML file; the defaults are the handbook's."""

    survey_after: Duration = Field(timedelta(hours=24), description="From solved to the survey (C3).")
    link_valid_for: Duration = Field(timedelta(days=28), description="How long a survey may be answered.")
    excluded_organizations: tuple[Name, ...] = Field(
        ("GitLab",), description="Organizations whose members are not surveyed, by exact name (C7)."
    )
    excluded_tags: tuple[Name, ...] = Field(
        ("pending_old", "spam_ticket"), description="Tickets with one of these tags are not surveyed (C4)."
    )
    merge_tag: Tag = Field(
        "close_by_merge", description="Tag of a ticket that was merged into another one: not surveyed (C5)."
    )
    excluded_recipients: tuple[Name, ...] = Field(
        ("mail-list@gitlab.com",), description="Tickets received at these addresses are not surveyed (C6)."
    )
    once_per: Duration | None = Field(
        None, description="A requester is asked at most once in this time; null: about every ticket."
    )
    sampling_share: float = Field(
        1.0, ge=0, le=1, description="Share of the solved tickets that are surveyed; 1: all."
    )
    too_late_after: Duration = Field(
        timedelta(days=7), description="What is overdue for longer is recorded as too late and not sent."
    )
    quiet_hours: QuietHours | None = Field(
        None, description="When nobody is asked, by the requester's own clock; null: whenever it is due."
    )
    ask_by: Literal["hosted", "native"] = Field(
        "hosted", description="hosted: a comment with our links; native: only the tag, Zendesk asks."
    )
    sent_tag: Tag = Field(
        "csat_survey_sent", description="Tag that the ticket gets when it was surveyed (C3)."
    )
    native_tag: Tag | None = Field(
        None,
        description="Tag on which Zendesk's own survey goes out, beside sent_tag; null: sent_tag itself.",
    )
    reasons: tuple[Name, ...] = Field(
        (
            "GitLab doesn't meet my needs",
            "The answer wasn't delivered in a timely manner",
            "My issue was not resolved",
            "The answer wasn't helpful",
            "Some other reason",
        ),
        description="What a bad rater may choose from (C10).",
    )
    comment_limit: int = Field(5000, ge=1, le=20_000, description="Characters that a comment may have.")
    ticket_updates_per_minute: int | None = Field(
        100,
        ge=1,
        description="Zendesk's limit of ticket updates for the account (zendesk.md 4.1); null lifts it.",
    )
    surveys_per_minute: int | None = Field(
        None,
        ge=1,
        description="Surveys in a minute, where fewer are wanted than the limit of updates allows.",
    )
    keep_history: Duration = Field(
        timedelta(days=730), description="How long tickets, decisions, surveys and answers are kept."
    )
    keep_comments: Duration = Field(
        timedelta(days=365), description="How long the words of a comment are kept; its rating stays."
    )
    native_ratings: NativeRules = Field(NativeRules(), description="Ratings that Zendesk itself collects.")
    page: PageRules = Field(PageRules(), description="The survey page.")
    feedback: FeedbackRules = Field(FeedbackRules(), description="Feedback as GitLab issues (C11).")
    numbers: NumbersRules = Field(NumbersRules(), description="Targets and breakdowns (C9).")

    @model_validator(mode="after")
    def _values_agree(self) -> Self:
        if found := disagreements(self):
            raise Mistakes(found)
        return self
