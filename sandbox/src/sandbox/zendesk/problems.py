"""Refusals of the REST side in the two shapes of docs/vendors/zendesk.md#rest."""

from typing import Any

from sandbox.web import Reply


class Problem(Exception):
    """A refusal with the reply that the client gets."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body}")
        self.reply = reply


def not_found() -> Problem:
    return Problem(Reply(404, {"error": "RecordNotFound", "description": "Not found"}))


def unknown_caller(error: str = "Couldn't authenticate you", description: str | None = None) -> Problem:
    body = {"error": error} | ({"error_description": description} if description else {})
    return Problem(Reply(401, body))


def out_of_scope(scope: str) -> Problem:
    text = f"You are missing the following required scopes: {scope}"
    return Problem(Reply(403, {"error": "Forbidden", "description": text}))


def invalid(field: str, description: str, **extra: Any) -> Problem:
    """422; `details` is keyed by the field, as in "Status: closed prevents ticket update"."""
    details = {field: [{"description": description, **extra}]}
    body = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    return Problem(Reply(422, body))


def conflict() -> Problem:
    text = "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket and try again."
    return Problem(Reply(409, {"error": "UpdateConflict", "description": text}))


def bad_request(error: str, description: str, **extra: Any) -> Problem:
    return Problem(Reply(400, {"error": error, "description": description, **extra}))


def too_many_values(name: str, ceiling: int = 100) -> Problem:
    text = f"Parameter {name} cannot specify more than {ceiling} values"
    return bad_request("TooManyValues", text, max_count=ceiling)


def at_most(ids: list[int], name: str = "ids", ceiling: int = 100) -> list[int]:
    """The ids, or 400 TooManyValues."""
    if len(ids) > ceiling:
        raise too_many_values(name, ceiling)
    return ids


def rate_limited(retry_after: int, *, endpoint: bool = False) -> Problem:
    """429 in the account's shape, or in the shape of an endpoint's own limit."""
    body: dict[str, Any] = {
        "error": "APIRateLimitExceeded",
        "description": "Number of allowed API requests per minute exceeded",
    }
    if endpoint:
        body = {"errors": [{"code": "TooManyRequests", "title": "Too many requests to update"}]}
    return Problem(Reply(429, body, {"retry-after": str(retry_after)}))
