"""Refusals of the REST API: an array of objects, or an object from the token endpoint.

See docs/vendors/salesforce.md#errors.
"""

from sandbox.web import Json, Reply

STATUS_OF = {
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "INSUFFICIENT_ACCESS": 403,
    "SERVER_UNAVAILABLE": 503,
    "UNKNOWN_EXCEPTION": 500,
    "UNABLE_TO_LOCK_ROW": 400,
}


class Refused(Exception):
    """A refusal of a request, or of one record in a collection. `status` follows from the code unless given."""

    def __init__(
        self, code: str, message: str, fields: list[str] | None = None, status: int | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields or []
        self.status = status or STATUS_OF.get(code, 400)

    def reply(self) -> Reply:
        body: Json = {"message": self.message, "errorCode": self.code}
        return Reply(self.status, [body | ({"fields": self.fields} if self.fields else {})])

    def as_record_error(self) -> Json:
        """Per-record errors say `statusCode` where whole-request errors say `errorCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


class SeveralMatch(Exception):
    """300: the external id matches several records; carries their ids."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(f"{len(ids)} records match")
        self.ids = ids


def no_such_column(name: str, sobject: str) -> Refused:
    return Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}")
