"""How this GitLab says no (docs/vendors/gitlab.md#answers)."""

from typing import Any

from sandbox.web import Reply


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.body))
        self.reply = reply


def unauthorized() -> Refused:
    return Refused(Reply(401, {"message": "401 Unauthorized"}))


def forbidden() -> Refused:
    return Refused(Reply(403, {"message": "403 Forbidden"}))


def not_found(what: str = "") -> Refused:
    return Refused(Reply(404, {"message": f"404 {what} Not Found" if what else "404 Not found"}))


def missing(name: str) -> Refused:
    return Refused(Reply(400, {"error": f"{name} is missing"}))


def invalid(message: Any) -> Refused:
    return Refused(Reply(400, {"message": message}))


def limited(wait: int, limit: int, reset: int) -> Refused:
    headers = {
        "ratelimit-limit": str(limit),
        "ratelimit-name": "throttle_issues_create",
        "ratelimit-observed": str(limit + 1),
        "ratelimit-remaining": "0",
        "ratelimit-reset": str(reset),
        "retry-after": str(wait),
    }
    return Refused(Reply(429, b"Retry later\n", headers | {"content-type": "text/plain"}))
