"""Why Salesforce lets us in no further, and what to do about it: logins, addresses, API versions. Pure.

The token endpoint has one code, `invalid_grant`, for mistakes that are mended in different places; its description
tells them apart. It is the vendor's own explanation and is kept, without the secret and without long words.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from sfdc_sync.salesforce.responses import is_page, problems

_APP = "Setup, External Client App Manager, the app"
_CREDENTIALS = (
    "compare SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET with Consumer Key and Secret of "
    f"{_APP}, Settings, OAuth"
)
# Code, what its description says, and the remedy; the first row that fits.
_REMEDIES: tuple[tuple[str, str, str], ...] = (
    (
        "invalid_grant",
        r"not supported on this domain",
        "SALESFORCE_LOGIN_URL must be the org's own domain (Setup, My Domain), https://<name>.my.salesforce.com: "
        "this grant works neither on login. nor on test.salesforce.com",
    ),
    (
        "invalid_grant",
        r"no client credentials user",
        f"name the integration user as Run As in {_APP}, Policies, OAuth: Enable Client Credentials Flow",
    ),
    (
        "",
        r"client credentials .*(not enabled|disabled)|grant type not supported",
        f"switch on Enable Client Credentials Flow in {_APP}, Settings and Policies, OAuth",
    ),
    (
        "",
        r"ip (restrict|address|not allowed)|restricted ip",
        f"allow this machine's address: {_APP}, Policies, IP Relaxation",
    ),
    ("inactive_user", "", "the integration user is inactive: Setup, Users"),
    ("inactive_org", "", "the org is locked, expired or in maintenance: look at its status in Salesforce"),
    (
        "",
        r"user .*(inactive|frozen|locked)",
        "the integration user is inactive, frozen or locked: Setup, Users",
    ),
    (
        "",
        r"password .*expired|expired .*password",
        "the integration user's password has expired: Setup, Users",
    ),
    (
        "",
        r"multi-?factor|two-?factor|mfa",
        "the integration user is asked for a second factor: give it the permission Waive Multi-Factor "
        "Authentication for Exempt Users, or a profile for API use alone",
    ),
    ("", r"login hours", "it is outside the login hours of the integration user's profile"),
    (
        "",
        r"blocked by|app (is )?not installed|not found in this org",
        f"the app is blocked or not installed in this org: {_APP}, or Setup, Connected Apps OAuth Usage",
    ),
    (
        "",
        r"not (admin )?approved|approval",
        f"let the integration user use the app: {_APP}, Policies, Permitted Users (a profile or permission set)",
    ),
    ("", r"rate exceeded|too many", "too many logins: stop whatever else logs in as this user"),
    ("invalid_client_id", "", _CREDENTIALS),
    ("invalid_client", "", _CREDENTIALS),
    (
        "invalid_app_access",
        "",
        f"let the integration user use the app: {_APP}, Policies, Permitted Users (a profile or permission set)",
    ),
    ("unauthorized_client", "", f"switch on Enable Client Credentials Flow in {_APP}, Settings, OAuth"),
    ("unsupported_grant_type", "", f"switch on Enable Client Credentials Flow in {_APP}, Settings, OAuth"),
    (
        "invalid_grant",
        "",
        f"the Run As user of {_APP} may not log in: it must be active, have the permission "
        "API Enabled, and be within its login hours and addresses",
    ),
)
_LONG_WORD = re.compile(r"\S{25,}")


def login_refusal(status: int, body: object, *, secret: str) -> str:
    """Why a login was refused, in Salesforce's words, and the remedy; never with `secret` in it."""
    found = problems(body)
    code = found[0].code if found else ""
    said = found[0].message.replace(secret, "…") if found else ""
    remedy = (
        _remedy(code, said)
        or _by_answer(body)
        or f"compare SALESFORCE_LOGIN_URL and the app's settings with {_APP}"
    )
    explained = f": {_LONG_WORD.sub('…', said)[:200]}" if said else ""
    return f"Salesforce refuses the login (HTTP {status}, {code or 'no code'}{explained}); {remedy}"


def moved(location: str) -> str:
    """What a redirect says: the org has another address by now."""
    host = urlsplit(location).hostname or ""
    if not host.endswith(".salesforce.com"):
        return "SALESFORCE_LOGIN_URL leads to an address that is not Salesforce's: set the org's own domain (My Domain)"
    return f"the org has moved to another address: set SALESFORCE_LOGIN_URL=https://{host}"


def version_refusal(wanted: str, offered: Sequence[str]) -> str:
    """What is wrong with the API version, when it is not among those that the org offers; else empty."""
    if not offered or wanted in offered:
        return ""
    numbers = sorted(offered, key=float)
    older = float(wanted) < float(numbers[0])
    why = "is retired" if older else "is not offered yet"
    have = f"{numbers[0]} to {numbers[-1]}"
    return f"API version {wanted} {why}: the org has {have}; set SALESFORCE_API_VERSION to one of them"


def versions_in(body: object) -> list[str]:
    """The versions of `GET /services/data`; none when the answer is of another shape."""
    rows = body if isinstance(body, list) else []
    found = [row.get("version") for row in rows if isinstance(row, dict)]
    return [each for each in found if isinstance(each, str) and re.fullmatch(r"\d{1,3}\.0", each)]


def _remedy(code: str, said: str) -> str:
    fitting = (
        remedy
        for wanted, words, remedy in _REMEDIES
        if wanted in ("", code) and re.search(words, said, re.IGNORECASE)
    )
    return next(fitting, "")


def _by_answer(body: object) -> str:
    """The remedy where Salesforce has said nothing that we know."""
    if isinstance(body, str) and is_page(body):
        return "a page answers in Salesforce's place: look for a proxy or a firewall, and compare SALESFORCE_LOGIN_URL"
    return f"compare SALESFORCE_LOGIN_URL and the app's settings with {_APP}"
