"""Every row of the error table (docs/vendors/salesforce.md#errors), and no body that could break the reading of it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.salesforce.responses import ErrorAction, Problem, problems, reaction, read_results, refusal
from tests.support.for_each import for_each

ID = "001xx0000004GxDAAU"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["errorCode", "statusCode", "error", "message", "fields", "errors", "success", "id"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@for_each(
    "code, status, expected",
    [
        ("INVALID_SESSION_ID", 401, ErrorAction.LOGIN),
        ("", 401, ErrorAction.LOGIN),
        ("invalid_grant", 400, ErrorAction.LOGIN),
        ("invalid_client", 400, ErrorAction.LOGIN),
        ("UNABLE_TO_LOCK_ROW", 400, ErrorAction.TRANSIENT),
        ("UNABLE_TO_LOCK_ROW", 500, ErrorAction.TRANSIENT),
        ("UNABLE_TO_LOCK_ROW", None, ErrorAction.TRANSIENT),
        ("REQUEST_LIMIT_EXCEEDED", 403, ErrorAction.QUOTA),
        ("SERVER_UNAVAILABLE", 503, ErrorAction.TRANSIENT),
        ("UNKNOWN_EXCEPTION", 500, ErrorAction.TRANSIENT),
        ("", 500, ErrorAction.TRANSIENT),
        ("", 502, ErrorAction.TRANSIENT),
        ("", 503, ErrorAction.TRANSIENT),
        ("QUERY_TIMEOUT", 400, ErrorAction.TRANSIENT),
        ("INVALID_QUERY_LOCATOR", 400, ErrorAction.TRANSIENT),
        ("DUPLICATE_VALUE", None, ErrorAction.RACE),
        ("DUPLICATES_DETECTED", 400, ErrorAction.REJECTED),
        ("DUPLICATES_DETECTED", None, ErrorAction.REJECTED),
        ("", 300, ErrorAction.REJECTED),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", None, ErrorAction.UNLINK),
        ("INVALID_CROSS_REFERENCE_KEY", None, ErrorAction.UNLINK),
        ("ENTITY_IS_DELETED", None, ErrorAction.UNLINK),
        ("INVALID_FIELD", 400, ErrorAction.CONFIG),
        ("INVALID_TYPE", 400, ErrorAction.CONFIG),
        ("MALFORMED_QUERY", 400, ErrorAction.CONFIG),
        ("NOT_FOUND", 404, ErrorAction.CONFIG),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", None, ErrorAction.CONFIG),
        ("REQUIRED_FIELD_MISSING", None, ErrorAction.REJECTED),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", None, ErrorAction.REJECTED),
        ("STRING_TOO_LONG", 400, ErrorAction.REJECTED),
        ("STORAGE_LIMIT_EXCEEDED", None, ErrorAction.STORAGE),
        ("MALFORMED_ID", None, ErrorAction.REJECTED),
        ("ALL_OR_NONE_OPERATION_ROLLED_BACK", None, ErrorAction.TRANSIENT),
        ("", 405, ErrorAction.CONFIG),
        ("", 409, ErrorAction.CONFIG),
        ("", 410, ErrorAction.CONFIG),
        ("", 414, ErrorAction.CONFIG),
        ("", 415, ErrorAction.CONFIG),
        ("", 420, ErrorAction.CONFIG),
        ("", 431, ErrorAction.CONFIG),
        ("", 403, ErrorAction.CONFIG),
        ("", 429, ErrorAction.QUOTA),
        ("", 400, ErrorAction.REJECTED),
        ("SOMETHING_NEW", 503, ErrorAction.TRANSIENT),
        ("SOMETHING_NEW", None, ErrorAction.REJECTED),
        ("", None, ErrorAction.TRANSIENT),
    ],
)
def test_the_table(code: str, status: int | None, expected: ErrorAction) -> None:
    assert reaction(Problem(code), status) is expected


@for_each("code", ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "APEX_ERROR"])
def test_a_persons_own_code_fails_for_good_unless_a_lock_was_behind_it(code: str) -> None:
    assert reaction(Problem(code, "TicketTrigger: null pointer"), None) is ErrorAction.REJECTED
    assert reaction(Problem(code, "... UNABLE_TO_LOCK_ROW, unable ..."), None) is ErrorAction.TRANSIENT
    assert (
        reaction(Problem(code, "System.LimitException: Too many SOQL queries"), 400) is ErrorAction.TRANSIENT
    )
    locked = (
        "TicketTrigger: System.QueryException: Record Currently Unavailable: The record you are attempting"
    )
    assert reaction(Problem(code, locked), None) is ErrorAction.TRANSIENT


@for_each("code", ["INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"])
def test_what_is_refused_of_a_named_field_is_the_fields(code: str) -> None:
    assert reaction(Problem(code, "", ("E__c",)), None) is ErrorAction.FIELD
    assert reaction(Problem(code), None) is ErrorAction.REJECTED


def test_a_record_with_two_troubles_has_the_worse_one() -> None:
    errors = [
        {"statusCode": "INVALID_EMAIL_ADDRESS", "message": "secret@x", "fields": ["E__c"]},
        {
            "statusCode": "REQUIRED_FIELD_MISSING",
            "message": "Required fields are missing: [A__c]",
            "fields": [],
        },
    ]
    (result,) = read_results([{"success": False, "errors": errors}], 1)
    assert result.reaction is ErrorAction.REJECTED
    assert "secret@x" not in result.reason
    assert "REQUIRED_FIELD_MISSING" in result.reason


def test_both_shapes_of_an_error_are_read() -> None:
    array = [{"message": "gone", "errorCode": "INVALID_SESSION_ID"}]
    assert problems(array) == [Problem("INVALID_SESSION_ID", "gone")]
    assert problems({"error": "invalid_grant"}) == [Problem("invalid_grant")]
    assert problems("<html>503</html>") == []


def test_results_keep_their_order() -> None:
    body = [
        {"id": ID, "success": True, "errors": [], "created": True},
        {
            "success": False,
            "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "m", "fields": ["A__c"]}],
        },
        {"id": ID, "success": True, "errors": [], "created": False},
    ]
    first, second, third = read_results(body, 3)
    assert (first.reaction, first.record_id, first.created) == (ErrorAction.WRITTEN, ID, True)
    assert (second.reaction, second.reason) == (ErrorAction.TRANSIENT, "UNABLE_TO_LOCK_ROW on A__c: m")
    assert third.created is False


@for_each("body", [None, [], {}, "<html>", [{"success": True, "id": ID}] * 3, {"records": []}])
def test_an_answer_that_does_not_fit_the_question_says_nothing(body: object) -> None:
    assert {result.reaction for result in read_results(body, 2)} == {ErrorAction.TRANSIENT}
    assert len(read_results(body, 2)) == 2


def test_written_needs_a_record_id() -> None:
    assert read_results([{"success": True, "id": "../../x"}], 1)[0].reaction is ErrorAction.TRANSIENT


@given(JSON, st.integers(100, 599))
def test_any_body_of_any_status_has_a_reaction(body: object, status: int) -> None:
    found, why = refusal(body, status)
    assert found is not ErrorAction.WRITTEN
    assert why.startswith(f"HTTP {status}: ")


@given(JSON, st.integers(0, 5))
def test_any_body_gives_as_many_results_as_records(body: object, count: int) -> None:
    results = read_results(body, count)
    assert len(results) == count
    assert all(bool(result.record_id) == (result.reaction is ErrorAction.WRITTEN) for result in results)


@given(JSON)
def test_results_of_any_shape_are_read(body: object) -> None:
    assert len(read_results([body, body], 2)) == 2


@for_each("code", ["STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS", "DUPLICATES_DETECTED", "NEW_ONE"])
def test_messages_that_may_quote_a_customer_are_not_kept(code: str) -> None:
    body = [{"errorCode": code, "message": "data value too large: my secret diary", "fields": ["Subject__c"]}]
    assert refusal(body, 400)[1] == f"HTTP 400: {code} on Subject__c"


def test_messages_for_operators_are_kept_without_tokens() -> None:
    message = "No such column 'X__c'; session 00DS7000000oxzo!AR8AQP.x_y used"
    why = refusal([{"errorCode": "INVALID_FIELD", "message": message}], 400)[1]
    assert "No such column 'X__c'" in why
    assert "AR8AQP" not in why


def test_codes_and_field_names_are_only_those_that_look_like_one() -> None:
    body = json.loads('[{"errorCode": "a b\\n{}", "message": 5, "fields": ["x y", 7, "Ok__c"]}]')
    assert str(problems(body)[0]) == "no error code on Ok__c"
