"""Every metric there is: its name (a Literal, so that a misspelt one does not pass mypy), labels and meaning.

Seconds and bytes are the only units. A label never holds an id, an address or free text.
"""

from dataclasses import dataclass
from typing import Literal

type MetricName = Literal[
    "webhooks",
    "webhooks_out_of_window",
    "webhook_answer_seconds",
    "http_refused",
    "spool_bodies",
    "spool_damage",
    "consumer_events",
    "consumer_batch_seconds",
    "consumer_batch_events",
    "consumer_lag_events",
    "consumer_resets",
    "dead_letters",
    "outbox_published",
    "outbox_publish_seconds",
    "outbox_refused",
    "outbox_oldest_unpublished_seconds",
    "delivery_attempts",
    "delivery_attempt_seconds",
    "delivery_lateness_seconds",
    "delivery_oldest_overdue_seconds",
    "deliveries_dead",
    "destination_open",
    "destination_refusals",
    "vendor_calls",
    "vendor_call_seconds",
    "vendor_wait_seconds",
    "reference_cache",
    "rows_pruned",
    "ready",
    "records_written",
    "salesforce_quota_used_ratio",
    "messages_posted",
    "breach_notices",
    "bot_questions",
    "breach_notice_lateness_seconds",
    "feedback_issues",
    "events_caught_up",
    "survey_votes",
    "survey_links_refused",
    "survey_opt_outs",
    "dashboard_logins",
    "dashboard_answer_seconds",
]

type Kind = Literal["counter", "gauge", "histogram"]

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 12.0)
SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One row of the table."""

    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = FAST


def _counter(meaning: str, *labels: str) -> MetricSpec:
    return MetricSpec("counter", labels, meaning)


def _gauge(meaning: str, *labels: str) -> MetricSpec:
    return MetricSpec("gauge", labels, meaning)


def _histogram(meaning: str, *labels: str, buckets: tuple[float, ...] = FAST) -> MetricSpec:
    return MetricSpec("histogram", labels, meaning, buckets)


METRICS: dict[MetricName, MetricSpec] = {
    "webhooks": _counter(
        "Webhook requests by disposition (published, ignored, parked, duplicate, spooled, refused).",
        "disposition",
    ),
    "webhooks_out_of_window": _counter(
        "Signed webhooks kept although their signature's time is far from ours (old, ahead, unreadable).",
        "why",
    ),
    "webhook_answer_seconds": _histogram("From the last byte of a webhook to our answer.", "status"),
    "http_refused": _counter(
        "Connections and requests that a server of ours turned away (crowded, gave_way, slow, slow_reader, malformed, "
        "head_too_large, body_too_large, too_much_held).",
        "server",
        "cause",
    ),
    "spool_bodies": _gauge("Signed bodies that wait on the local disk because the database is away."),
    "spool_damage": _counter(
        "Segments of the spool set aside because some of their bytes could not be read."
    ),
    "consumer_events": _counter(
        "Events taken by a consumer (handled, duplicate, ignored, dead_letter).", "group", "type", "outcome"
    ),
    "consumer_batch_seconds": _histogram("One batch transaction, from decode to commit.", "group"),
    "consumer_batch_events": _histogram("Events in one batch transaction.", "group", buckets=SIZES),
    "consumer_lag_events": _gauge(
        "Events on the broker that this member has not finished.", "group", "topic"
    ),
    "consumer_resets": _counter(
        "Partitions that went on elsewhere than where they had stopped "
        "(made_anew, maybe_anew, beyond_end, before_beginning, restored).",
        "group",
        "topic",
        "kind",
    ),
    "dead_letters": _counter("Records written to the dead-letter topic.", "group", "stage"),
    "outbox_published": _counter("Outbox rows that the broker has acknowledged.", "topic"),
    "outbox_refused": _counter(
        "Outbox rows that the broker will never take (too large, no right); set aside.", "topic"
    ),
    "outbox_publish_seconds": _histogram("One round of the relay: claim, publish, mark."),
    "outbox_oldest_unpublished_seconds": _gauge(
        "Age of the oldest outbox row not yet published; 0 when none."
    ),
    "delivery_attempts": _counter(
        "Attempts by outcome (done, try_again, give_up, unknown, moot, paused, stale).",
        "destination",
        "outcome",
    ),
    "delivery_attempt_seconds": _histogram(
        "One attempt, the outside call included.", "destination", buckets=SLOW
    ),
    "delivery_lateness_seconds": _histogram(
        "From the moment a row was due (first attempts only) to its claim.", "destination", buckets=SLOW
    ),
    "delivery_oldest_overdue_seconds": _gauge("Age of the oldest overdue delivery; 0 when none."),
    "bot_questions": _counter("Questions to the Support Bot: answered, refused.", "outcome"),
    "breach_notices": _counter("Breach notices decided: posted, decided_no, second_road, missed.", "outcome"),
    "breach_notice_lateness_seconds": _histogram(
        "From the moment a breach notice was due (or was found to be) to the moment it was posted.",
        buckets=SLOW,
    ),
    "deliveries_dead": _counter("Deliveries given up on.", "destination"),
    "destination_open": _gauge(
        "1 while a destination's breaker is open: its rows wait, at no cost; else 0.", "destination"
    ),
    "destination_refusals": _gauge(
        "Different rows given up one after the other for one and the same reason.", "destination"
    ),
    "vendor_calls": _counter(
        "Calls to other people's servers by outcome (ok, not_found, retryable, unknown, paused, permanent, failed).",
        "vendor",
        "call",
        "outcome",
    ),
    "vendor_call_seconds": _histogram("One call to another server.", "vendor", "call", buckets=SLOW),
    "vendor_wait_seconds": _histogram(
        "Wait for our own share of a vendor's rate limit.", "vendor", buckets=SLOW
    ),
    "reference_cache": _counter(
        "Look-ups in a reference cache (hit, miss, absent, refused).", "cache", "outcome"
    ),
    "rows_pruned": _counter("Rows removed past their retention.", "table"),
    "ready": _gauge("1 while a readiness probe is content, else 0.", "probe"),
    "salesforce_quota_used_ratio": _gauge(
        "Share of Salesforce's daily requests that the whole org has used, as the last answer said (0 to 1)."
    ),
    "records_written": _counter(
        "Salesforce records by result (created, updated, deleted, stale, refused).", "result"
    ),
    "feedback_issues": _counter(
        "GitLab issues of feedback (created, updated, found, skipped, incomplete: labels lost in silence).",
        "outcome",
    ),
    "messages_posted": _counter("Slack messages by rule (posted, folded, skipped).", "outcome"),
    "events_caught_up": _counter(
        "What no webhook told and Zendesk's export showed (solved, reopened, rated).", "kind"
    ),
    "survey_votes": _counter("Answers taken on the survey page, repeated ones included.", "score"),
    "survey_links_refused": _counter(
        "Requests of the survey page that got a page saying why not (expired, tampered, too_often …).", "why"
    ),
    "survey_opt_outs": _counter(
        "Requesters who asked not to be asked any more (stop), or to be asked again (resume).", "wish"
    ),
    "dashboard_logins": _counter(
        "Attempts to log in to the operators' pages (welcomed, wrong, limited, form_refused, proxy_refused).",
        "outcome",
    ),
    "dashboard_answer_seconds": _histogram(
        "From the request of a dashboard or its CSV to our answer.", "kind"
    ),
}
