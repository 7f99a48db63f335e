"""Salesforce as a transport of `requests`: what was sent is kept, answers are what the test says."""

import json
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import BaseAdapter

Answer = tuple[int, Any] | Exception

TOKEN = "00DS7000000oxzo!first"
ORIGIN = "https://acme.my.salesforce.com"


class FakeSalesforce(BaseAdapter):
    """Answers logins with numbered tokens, everything else with `answer(request)`."""

    def __init__(self, answer: Callable[[requests.PreparedRequest], Answer]) -> None:
        super().__init__()
        self._answer = answer
        self.login: Answer | None = None
        self.logins = 0
        self.calls: list[requests.PreparedRequest] = []
        self.timeouts: set[object] = set()
        self.usage = ""
        self.location = ""
        self.versions: Answer | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.timeouts.add(options["timeout"])
        if (request.url or "").endswith("/services/oauth2/token"):
            self.logins += 1
            return self._respond(request, self.login or self._granted())
        if self.versions is not None and (request.url or "").endswith("/services/data"):
            return self._respond(request, self.versions)
        self.calls.append(request)
        return self._respond(request, self._answer(request))

    def close(self) -> None:
        """Nothing is open."""

    def _granted(self) -> Answer:
        return 200, {"access_token": f"{TOKEN}{self.logins}", "instance_url": ORIGIN}

    def _respond(self, request: requests.PreparedRequest, answer: Answer) -> requests.Response:
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.request, response.url = request, request.url or ""
        response.status_code, body = answer
        response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self.location:
            response.headers["Location"] = self.location
        if self.usage:
            response.headers["Sforce-Limit-Info"] = self.usage
        return response


def bearer(request: requests.PreparedRequest) -> str:
    """The session that a request was sent with."""
    return str(request.headers["Authorization"]).removeprefix("Bearer ")
