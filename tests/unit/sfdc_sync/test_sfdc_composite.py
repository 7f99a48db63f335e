"""Several queries in one call, and what the answers say of the day's requests."""

import pytest

from sfdc_sync.salesforce.composite import composite_of, page_of, parts_of
from sfdc_sync.salesforce.responses import read_results
from sfdc_sync.salesforce.usage import Usage
from supportops.errors import UnknownOutcome
from supportops.observability.metrics import Metrics
from tests.support.for_each import for_each


def test_queries_are_quoted_whole() -> None:
    body = composite_of(["SELECT Id FROM X WHERE N = 'a&b=c'"], "62.0", deleted=True)
    (part,) = body["compositeRequest"]
    assert (
        part["url"]
        == "/services/data/v62.0/queryAll/?q=SELECT%20Id%20FROM%20X%20WHERE%20N%20%3D%20%27a%26b%3Dc%27"
    )


def test_parts_come_in_the_order_of_the_request() -> None:
    parts = [{"referenceId": f"q{n}", "httpStatusCode": 200 + n, "body": n} for n in (1, 0)]
    assert parts_of({"compositeResponse": parts}, 2) == [(200, 0), (201, 1)]


@for_each("answer", [None, [], {}, {"compositeResponse": [{"referenceId": "q0"}]}])
def test_half_an_answer_is_none(answer: object) -> None:
    with pytest.raises(UnknownOutcome):
        parts_of(answer, 1)
    with pytest.raises(UnknownOutcome):
        page_of(answer)


def test_the_share_of_the_day_is_a_figure_and_is_asked_once_per_answer() -> None:
    usage = Usage(metrics := Metrics())
    usage.note({"Sforce-Limit-Info": "api-usage=96/100", "Date": "Mon, 02 Nov 2026 09:00:00 GMT"})
    assert metrics.value("salesforce_quota_used_ratio") == 0.96
    assert (usage.reached(0.95), usage.reached(0.95)) == (True, False), "after a pause one call looks again"
    assert (usage.share, usage.date) == (0.96, "Mon, 02 Nov 2026 09:00:00 GMT")


def test_a_duplicate_names_its_field_in_words() -> None:
    error = {
        "statusCode": "DUPLICATE_VALUE",
        "message": "duplicate value found: Code__c duplicates value on record",
        "fields": [],
    }
    (result,) = read_results([{"success": False, "errors": [error]}], 1)
    assert result.fields == ("Code__c",)
