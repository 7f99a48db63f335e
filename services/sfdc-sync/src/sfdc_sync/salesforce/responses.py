"""What an answer of Salesforce means and what to do about it (docs/vendors/salesforce.md#errors). Pure, and total for
any body.

The code decides first and the status second: a lock row comes as 400 or 500, a quota error as 403, and the
edge answers with HTML. Operators read the vendor's words; messages may quote what was sent, so of a record its
values are taken out, and of a whole request only the words of configuration and validation errors are kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sfdc_sync.salesforce.record_id import normalise


class ErrorAction(StrEnum):
    """What to do next."""

    WRITTEN = "written"
    LOGIN = "login"  # fetch a new session once, then pause
    TRANSIENT = "transient"  # again, later
    QUOTA = "quota"  # everything waits
    STORAGE = "storage"  # no room for new records: long wait, others go on
    RACE = "race"  # two writers created at once: the same upsert again becomes an update
    UNLINK = (
        "unlink"  # the record points at something that is missing or hidden: write it without the lookups
    )
    FIELD = "field"  # the values of named fields are refused: write the record without them
    BUSY = "busy"  # too many long calls at this moment: everything waits for a little while
    CONFIG = "config"  # an object, a field or a permission is missing: everything waits for a person
    REJECTED = "rejected"  # this record will never be accepted


_BY_CODE: Mapping[str, ErrorAction] = {
    "INVALID_SESSION_ID": ErrorAction.LOGIN,
    "INVALID_AUTH_HEADER": ErrorAction.LOGIN,
    "UNABLE_TO_LOCK_ROW": ErrorAction.TRANSIENT,
    "SERVER_UNAVAILABLE": ErrorAction.TRANSIENT,
    "UNKNOWN_EXCEPTION": ErrorAction.TRANSIENT,
    "QUERY_TIMEOUT": ErrorAction.TRANSIENT,
    "INVALID_QUERY_LOCATOR": ErrorAction.TRANSIENT,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": ErrorAction.TRANSIENT,
    "PROCESSING_HALTED": ErrorAction.TRANSIENT,
    "REQUEST_LIMIT_EXCEEDED": ErrorAction.QUOTA,
    "STORAGE_LIMIT_EXCEEDED": ErrorAction.STORAGE,
    "DUPLICATE_VALUE": ErrorAction.RACE,
    "DUPLICATE_EXTERNAL_ID": ErrorAction.RACE,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": ErrorAction.UNLINK,
    "INVALID_CROSS_REFERENCE_KEY": ErrorAction.UNLINK,
    "ENTITY_IS_DELETED": ErrorAction.UNLINK,
    "INVALID_FIELD": ErrorAction.CONFIG,
    "INVALID_TYPE": ErrorAction.CONFIG,
    "MALFORMED_QUERY": ErrorAction.CONFIG,
    "NOT_FOUND": ErrorAction.CONFIG,
    "INVALID_FIELD_FOR_INSERT_UPDATE": ErrorAction.CONFIG,
    "API_DISABLED_FOR_ORG": ErrorAction.CONFIG,
    "API_CURRENTLY_DISABLED": ErrorAction.CONFIG,
    "invalid_grant": ErrorAction.LOGIN,
    "invalid_client": ErrorAction.LOGIN,
    "unknown_error": ErrorAction.TRANSIENT,  # of the token endpoint: "retry your request"
    "server_error": ErrorAction.TRANSIENT,
    "temporarily_unavailable": ErrorAction.TRANSIENT,
    "ENTITY_IS_LOCKED": ErrorAction.TRANSIENT,  # somebody's approval process has it
}

# A person's own code failed: final, unless its text says that a lock or a limit was behind it.
_CUSTOMER_CODE = frozenset(
    {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "APEX_ERROR"}
)
_PASSING_TROUBLE = re.compile(
    r"UNABLE_TO_LOCK_ROW|LIMIT_EXCEEDED|LimitException|Too many|Record Currently Unavailable"
    r"|currently being modified|unable to obtain exclusive access|try again",
    re.IGNORECASE,
)

# The words of an `addError` in a trigger come under this code; "try again" is said to people there.
_OF_THEIR_CHECKS = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
_LOCK = re.compile(r"UNABLE_TO_LOCK_ROW|LimitException|unable to obtain exclusive access", re.IGNORECASE)

# Both limits have one code: that of a day is over when the day is, that of calls at once within seconds.
_AT_ONCE = re.compile(r"concurrent", re.IGNORECASE)

# Of a record that is named by its id: there is none.
_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})

# About the value of a field; where they name it, the record can do without.
_OF_A_FIELD = frozenset(
    {
        "INVALID_EMAIL_ADDRESS",
        "STRING_TOO_LONG",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "FIELD_INTEGRITY_EXCEPTION",
        "FIELD_FILTER_VALIDATION_EXCEPTION",
        "MALFORMED_ID",
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        "JSON_PARSER_ERROR",
    }
)

_BY_STATUS: Mapping[int, ErrorAction] = {
    300: ErrorAction.REJECTED,
    400: ErrorAction.REJECTED,
    401: ErrorAction.LOGIN,
    408: ErrorAction.TRANSIENT,
    412: ErrorAction.REJECTED,
    428: ErrorAction.REJECTED,
    429: ErrorAction.QUOTA,
}

# Their messages name fields and rules, not what the customer wrote.
_TELLING = frozenset(
    {
        "GONE",
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "INVALID_FIELD",
        "INVALID_TYPE",
        "NOT_FOUND",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "REQUIRED_FIELD_MISSING",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "REQUEST_LIMIT_EXCEEDED",
        "STORAGE_LIMIT_EXCEEDED",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "CANNOT_EXECUTE_FLOW_TRIGGER",
        "APEX_ERROR",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    }
)
_DUPLICATE = re.compile(r"duplicate value found: ([A-Za-z][A-Za-z0-9_]{0,79}) duplicates", re.ASCII)
_HTML = re.compile(r"<\s*(!doctype|html|head|body)", re.IGNORECASE)
_PAGE = "so it is not Salesforce's API that answers: look for a proxy, a firewall or a login page on the way"
_ADDRESS = re.compile(r"[^\s'\"<>@]+@[^\s'\"<>@]+")
_EXCERPT = re.compile(r"^.*ERROR at Row:\d+:Column:\d+\s*", re.DOTALL)
"""A refused query is quoted, with the values in it, up to the place of the mistake."""
_TOKEN = re.compile(r"00D[0-9A-Za-z]{12,15}![^\s\"]+")
_ENOUGH = 20
"""Characters of a value by which a message that quotes a part of it is known."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)


Record = dict[str, object]


@dataclass(frozen=True)
class Problem:
    """One error of a body; every part may be empty."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Safe to store and to log: code, field names, and the message where it quotes no data."""
        text = self.code or "no error code"
        if self.fields:
            text += f" on {', '.join(self.fields)}"
        return f"{text}: {_masked(self.message)[:200]}" if self.code in _TELLING and self.message else text

    def told(self, sent: Iterable[str]) -> str:
        """The same with the message whatever the code, without anything of `sent` in it."""
        if self.code in _TELLING or not self.message:
            return str(self)
        text = _masked(self.message)
        for value in sorted(sent, key=len, reverse=True):
            text = text.replace(value, "…")
            if len(value) > _ENOUGH and (at := text.find(value[:_ENOUGH])) >= 0:  # quoted in part
                text = f"{text[:at]}…"
        return f"{self}: {text[:200]}"


@dataclass(frozen=True)
class RecordResult:
    """What became of one record of a batch. `record_id` is set when, and only when, it was written."""

    reaction: ErrorAction
    record_id: str = ""
    created: bool = False
    reason: str = ""
    fields: tuple[str, ...] = ()
    """Those that the refusal names."""
    left_out: tuple[str, ...] = ()
    """What of the record was not written, and why; a line each."""
    gone: bool = False
    """It is refused because the record itself is not there any more; a missing right says something else."""


def _masked(message: str) -> str:
    """Without tokens, addresses of people, and the query that it is about."""
    return _ADDRESS.sub("…", _TOKEN.sub("[token]", _EXCERPT.sub("", message))).strip()


def is_page(text: str) -> bool:
    """Whether this is HTML: the edge, a proxy or a login page has answered."""
    return _HTML.search(text) is not None


def problems(body: object) -> list[Problem]:
    """The errors that `body` names, whatever its shape: an array, an object, text, nothing."""
    return [problem for item in _items(body) if (problem := _problem(item)) is not None]


def reaction(problem: Problem, status: int | None) -> ErrorAction:
    """What to do about `problem`; the status helps when the code says nothing. Never WRITTEN."""
    if problem.code == "REQUEST_LIMIT_EXCEEDED" and _AT_ONCE.search(problem.message):
        return ErrorAction.BUSY
    if problem.code == _OF_THEIR_CHECKS and _LOCK.search(problem.message):
        return ErrorAction.TRANSIENT
    if problem.code in _BY_CODE:
        return _BY_CODE[problem.code]
    if problem.code in _OF_A_FIELD and problem.fields:
        return ErrorAction.FIELD
    if problem.code in _CUSTOMER_CODE and _PASSING_TROUBLE.search(problem.message):
        return ErrorAction.TRANSIENT
    if status is None:
        return ErrorAction.REJECTED if problem.code else ErrorAction.TRANSIENT
    return _by_status(status)


def refusal(body: object, status: int) -> tuple[ErrorAction, str]:
    """What to do about a whole request that was refused with `status`, and why in safe words.

    Who may not call at all is told so in words about users and orgs, which quote nothing that was sent.
    """
    found = problems(body) or [Problem()]
    first = found[0]
    if not first.code and isinstance(body, str) and is_page(body):
        return reaction(first, status), f"HTTP {status}: a page instead of an answer, {_PAGE}"
    told = first.told(()) if status in (401, 403) else str(first)
    return reaction(first, status), f"HTTP {status}: {told}"


def refused_with_200(body: object) -> bool:
    """Whether a body is the refusal of a whole call, although its status says that all is well."""
    first = body[0] if isinstance(body, list) and body else body
    return isinstance(first, dict) and "success" not in first and bool(_code(first.get("errorCode")))


def read_results(body: object, sent: Sequence[Record] | int) -> list[RecordResult]:
    """The results of a collections call, in request order, whatever the body looks like; `sent`: what it was about.

    An answer that cannot be read says nothing about the record: again, later (the write is an upsert).
    """
    records: Sequence[Record] = [{}] * sent if isinstance(sent, int) else sent
    items = list(_items(body)) if isinstance(body, list) else []
    if len(items) != len(records):
        told = f"{len(items)} results for {len(records)} records"
        return [RecordResult(ErrorAction.TRANSIENT, reason=told)] * len(records)
    return [_result(item, record) for item, record in zip(items, records, strict=True)]


def _result(item: object, record: Record) -> RecordResult:
    if not isinstance(item, dict):
        return RecordResult(ErrorAction.TRANSIENT, reason="unreadable result")
    if item.get("success") is True:
        record_id = _record_id(item.get("id"))
        if record_id is None:
            return RecordResult(ErrorAction.TRANSIENT, reason="written, but without a record id")
        return RecordResult(ErrorAction.WRITTEN, record_id, item.get("created") is True)
    found = problems(item.get("errors")) or [Problem()]
    worst = next((each for each in found if reaction(each, None) is not ErrorAction.FIELD), found[0])
    fields = tuple(dict.fromkeys(name for each in found for name in each.fields))
    gone = all(each.code in _GONE for each in found)
    values = [each for each in record.values() if isinstance(each, str) and len(each) > 2]
    told = "; ".join(each.told(values) for each in found)
    return RecordResult(reaction(worst, None), reason=told, fields=fields, gone=gone)


def _record_id(value: object) -> str | None:
    return normalise(value) if isinstance(value, str) else None


def _items(body: object) -> Iterator[object]:
    if isinstance(body, list):
        yield from body
    else:
        yield body


def _problem(item: object) -> Problem | None:
    if not isinstance(item, dict):
        return None
    code = next((c for name in ("errorCode", "statusCode", "error") if (c := _code(item.get(name)))), "")
    message = item.get("message") or item.get("error_description")
    fields = item.get("fields")
    names = tuple(c for f in fields if (c := _code(f))) if isinstance(fields, list) else ()
    text = message if isinstance(message, str) else ""
    if code == "DUPLICATE_VALUE" and not names and (duplicate := _DUPLICATE.search(text)):
        names = (duplicate[1],)
    return Problem(code, text, names[:10])


def _code(value: object) -> str:
    """`value` when it looks like a code or a field name, else nothing: it goes into logs."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _by_status(status: int) -> ErrorAction:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500 or status < 300:
        return ErrorAction.TRANSIENT
    return ErrorAction.CONFIG
