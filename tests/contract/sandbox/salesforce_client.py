"""simple-salesforce pointed at the sandbox, as docs/vendors/salesforce.md#the-library recommends."""

from typing import Any
from urllib.parse import urlsplit

import requests  # noqa: TID251 - the client under test is built on it
from requests.adapters import HTTPAdapter  # noqa: TID251 - same
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError


class LoopbackAdapter(HTTPAdapter):
    """Every https request goes to one plain-http stand-in; the path is kept."""

    def __init__(self, target: str) -> None:
        self._target = target
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **keywords: Any) -> requests.Response:
        host = urlsplit(str(request.url)).netloc
        request.headers["X-Original-Host"] = host
        request.url = self._target + str(request.url).split(host, 1)[1]
        return super().send(request, *args, **keywords)


def login(url: str, *, basic: bool = False) -> str:
    """An access token by client credentials, in the form or by HTTP Basic."""
    pair = ("sandbox-client", "sandbox-secret")
    form = {"grant_type": "client_credentials"}
    if not basic:
        form |= {"client_id": pair[0], "client_secret": pair[1]}
    answer = requests.post(
        f"{url}/salesforce/services/oauth2/token", data=form, auth=pair if basic else None, timeout=10
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def adapted(url: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", LoopbackAdapter(f"{url}/salesforce"))
    return session


def connect(url: str, session_id: str | None = None) -> Any:
    """A client in direct mode: one request per call, no refresh of its own."""
    return Salesforce(
        session_id=session_id or login(url),
        instance_url="https://acme.my.salesforce.com",
        session=adapted(url),
        version="62.0",
    )


def problems(error: SalesforceError) -> list[dict[str, Any]]:
    """The array that a refusal carries; its type in the library is wrong."""
    content: Any = error.content
    assert isinstance(content, list), content
    return content


def code_of(error: SalesforceError) -> str:
    return str(problems(error)[0]["errorCode"])
