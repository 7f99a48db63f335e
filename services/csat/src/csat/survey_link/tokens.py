"""The signed part of a survey link: scoped to one survey, expiring, nothing guessable or personal in it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from supportops.clock import Clock

LONGEST = 512
_TOKEN = re.compile(r"/s/([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)")


class TokenInvalid(Exception):
    """Not signed by us for this purpose: tampered with, cut short, or made up."""


class TokenExpired(Exception):
    """Signed by us, but too long ago."""


@dataclass(frozen=True)
class SurveyToken:
    """What a valid token says: the survey, and until when its holder may answer."""

    survey_id: str
    expires_at: datetime


class _ClockSigner(TimestampSigner):
    """Stamps with our clock instead of the machine's."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock.now().timestamp())


class SurveyTokens:
    """Issues and reads the tokens of survey links.

    `keys`: the current key first, then older ones, whose links stay valid until they are taken off the list.
    """

    def __init__(self, keys: Sequence[str], lifetime: timedelta, clock: Clock) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one key is needed, and none may be empty")
        self._lifetime, self._clock = lifetime, clock
        self._serializer = URLSafeTimedSerializer(
            list(reversed(keys)),  # itsdangerous signs with the last one
            salt="csat.survey-link",
            signer=_ClockSigner,
            signer_kwargs={"clock": clock, "key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def issue(self, survey_id: str) -> str:
        """A token for the holder of this survey's link, valid from now on."""
        return str(self._serializer.dumps(survey_id))

    def read(self, token: str) -> SurveyToken:
        """What `token` says. TokenExpired, or TokenInvalid for whatever is not ours."""
        try:
            return self._load(token, self._lifetime)
        except SignatureExpired as error:
            raise TokenExpired from error
        except (BadData, ValueError) as error:
            raise TokenInvalid from error

    def is_in(self, text: str, survey_id: str) -> bool:
        """Whether `text` holds one of our links to this survey, of whatever age."""
        return survey_id in self.surveys_in(text)

    def surveys_in(self, text: str) -> list[str]:
        """The surveys that `text` holds links of ours to, of whatever age."""
        found = (self._survey_of(token) for token in _TOKEN.findall(text))
        return list(dict.fromkeys(each for each in found if each is not None))

    def _survey_of(self, token: str) -> str | None:
        try:
            return self._load(token, None).survey_id
        except (BadData, ValueError):
            return None

    def _load(self, token: str, lifetime: timedelta | None) -> SurveyToken:
        if len(token) > LONGEST:
            raise ValueError("longer than any token of ours")
        survey_id, stamped = self._serializer.loads(token, return_timestamp=True)
        issued_at = stamped.astimezone(UTC)
        # Our own look at the age: itsdangerous also calls "expired" what a clock a little ahead of ours has stamped.
        if lifetime is not None and self._clock.now() - issued_at > lifetime:
            raise SignatureExpired("older than a link may be")
        if not isinstance(survey_id, str):
            raise ValueError("a token of another kind")
        return SurveyToken(survey_id, issued_at + self._lifetime)
