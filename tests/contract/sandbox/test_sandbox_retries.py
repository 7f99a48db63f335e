"""The retry table of docs/vendors/zendesk.md#answers, as a function and through the sender with a fake clock."""

from sandbox.control.people import People
from sandbox.world import World
from sandbox.zendesk.retries import Again, Answer, Final, next_step
from sandbox.zendesk.webhooks import Invocation, Webhook
from tests.contract.sandbox.fakes import FakeClock, FakePost
from tests.support.eventually import eventually
from tests.support.for_each import for_each


@for_each(
    "answer, attempt, expected",
    [
        (Answer(200), 1, Final("success")),
        (Answer(204), 1, Final("success")),
        (Answer(409), 1, Again(1.5)),
        (Answer(409), 3, Again(1.5)),
        (Answer(409), 4, Final("terminated")),
        (Answer(429, "20"), 1, Again(20)),
        (Answer(503, "59"), 1, Again(59)),
        (Answer(503, "60"), 1, Final("terminated")),
        (Answer(503), 1, Final("terminated")),
        (Answer(429, "soon"), 1, Final("terminated")),
        (Answer(503, "5"), 4, Final("terminated")),
        (Answer(0), 5, Again(1.5)),
        (Answer(0), 6, Final("timeout")),
        *[
            (Answer(code), 1, Final("terminated"))
            for code in (301, 400, 401, 403, 404, 410, 413, 422, 500, 502, 504)
        ],
    ],
)
def test_table(answer: Answer, attempt: int, expected: Again | Final) -> None:
    assert next_step(answer, attempt, 1.5) == expected


async def sent(world: World, spacing: float = 2.0) -> Invocation:
    """One ticket to one webhook; the invocation when it has come to its end."""
    hook = Webhook("01HOOK", "test", "http://receiver/hook", "secret", ["zen:event-type:ticket.created"])
    hook.retry_spacing = spacing
    world.zendesk.sender.webhooks[hook.id] = hook
    People(world.zendesk).create({"subject": "x"})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    (only,) = world.zendesk.sender.invocations.values()
    return only


async def test_conflict_is_tried_three_more_times(
    world: World, post: FakePost, fake_clock: FakeClock
) -> None:
    post.answers = [Answer(409)] * 4
    invocation = await sent(world)
    assert (invocation.status, len(post.requests), fake_clock.slept) == ("terminated", 4, [2.0, 2.0, 2.0])


async def test_short_retry_after_is_waited_for(world: World, post: FakePost, fake_clock: FakeClock) -> None:
    post.answers = [Answer(503, "55"), Answer(200)]
    invocation = await sent(world)
    assert (invocation.status, fake_clock.slept) == ("success", [55])


async def test_no_answer_is_tried_five_more_times(
    world: World, post: FakePost, fake_clock: FakeClock
) -> None:
    post.answers = [TimeoutError(), ConnectionResetError("gone"), *[TimeoutError()] * 4]
    invocation = await sent(world)
    assert (invocation.status, len(post.requests), len(fake_clock.slept)) == ("timeout", 6, 5)


async def test_500_loses_the_event(world: World, post: FakePost) -> None:
    post.answers = [Answer(500)]
    invocation = await sent(world)
    assert (invocation.status, len(post.requests)) == ("terminated", 1)
    (entry,) = world.ledger.find("zendesk.webhook")
    assert (entry.facts["status"], entry.facts["last_status"]) == ("terminated", 500)


async def test_each_attempt_is_signed_anew(world: World, post: FakePost) -> None:
    post.answers = [Answer(503, "30")]
    await sent(world)
    first, second = post.requests
    stamp, signed = "X-Zendesk-Webhook-Signature-Timestamp", "X-Zendesk-Webhook-Signature"
    assert (first.headers[stamp], second.headers[stamp]) == ("2026-01-05T08:00:00Z", "2026-01-05T08:00:30Z")
    assert first.headers[signed] != second.headers[signed]
    assert first.body == second.body
    invocation = "X-Zendesk-Webhook-Invocation-Id"
    assert first.headers[invocation] == second.headers[invocation]
