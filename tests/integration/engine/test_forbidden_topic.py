"""A broker that takes the right to a topic away from a consumer at work, and gives it back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from supportops.contracts import Topic
from supportops.messaging import Consumer, ConsumerPolicy
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.engine.test_consumer_bad_topics import produce
from tests.support.consuming import HANDLERS, all_solved, solves, stage_on
from tests.support.engine import running
from tests.support.eventually import eventually
from tests.support.infra import Kind
from tests.support.kafka_server import KafkaServer
from tests.support.servers import Server

pytestmark = [pytest.mark.needs_kafka, pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)]
TOPIC, LITERAL, DENY, READ, DESCRIBE = 2, 3, 2, 3, 8  # as the protocol numbers them
RIGHTS = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


def guard(server: Server) -> None:
    """Have the broker ask for rights; nobody lacks one yet."""
    assert isinstance(server, KafkaServer)
    server.stop()
    with (server.home / "server.properties").open("a") as properties:
        properties.write(RIGHTS)
    server.start()


async def ask(address: str, request: CreateAclsRequest | DeleteAclsRequest) -> None:
    client = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    try:
        answer = await client.send(client.get_random_node(), request)
        _, results = answer.to_object().values()  # after the time that it was throttled
        assert [result["error_code"] for result in results] == [0], results
    finally:
        await client.close()


@pytest.mark.long  # two starts of a broker, and the waits of its client: half a minute
@pytest.mark.timeout(180)
@pytest.mark.parametrize("operation", [READ, DESCRIBE])
async def test_a_forbidden_topic_is_named_holds_up_no_other_and_is_read_once_it_is_allowed(
    own_server: Callable[[Kind], Server], live_store: Store, operation: int
) -> None:
    server = own_server("kafka")
    guard(server)
    async with stage_on(server.address, "apache", partitions=1) as stage:
        healthy = f"h.{stage.topic}"
        await stage.broker.ensure_topics([Topic(healthy, 1, "ticket id", timedelta(hours=1))])
        policy = ConsumerPolicy(topics=(stage.topic, healthy))
        member = Consumer(
            stage.broker, live_store, HANDLERS, group=stage.group, metrics=Metrics(), policy=policy
        )
        right = (TOPIC, stage.topic, LITERAL, "User:ANONYMOUS", "*", operation, DENY)
        async with running(member):
            await produce(server.address, stage.topic, range(10))
            await eventually(lambda: all_solved(live_store, 10), within=30)
            await ask(server.address, CreateAclsRequest(*right))
            (complaint,) = await eventually(
                lambda: member.subscription.complaints(timedelta(seconds=1)), within=60
            )
            assert stage.topic in complaint
            assert healthy not in complaint
            await produce(server.address, healthy, range(100, 110))
            await eventually(lambda: all_solved(live_store, 20), within=30)
            await ask(server.address, DeleteAclsRequest(*right))
            await produce(server.address, stage.topic, range(10, 20))
            await eventually(lambda: all_solved(live_store, 30), within=60)
            await eventually(lambda: not member.subscription.complaints(timedelta(0)), within=60)
        assert await solves(live_store) == {str(n): 1 for n in [*range(20), *range(100, 110)]}
