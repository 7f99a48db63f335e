"""The one topic table agrees with itself."""

from supportops.contracts import EVENTS, GROUPS, TOPICS, all_topics, dead_letter_topic


def test_every_event_is_in_its_own_topic_once() -> None:
    listed = [(event, topic.name) for topic in TOPICS for event in topic.events]
    assert all(event.topic == name for event, name in listed)
    assert len({event.type for event, _ in listed}) == len(listed) == len(EVENTS)
    assert all(event.type.rpartition(".")[2] == "v1" for event, _ in listed)


def test_tickets_have_twelve_partitions() -> None:
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    assert partitions.pop("zendesk.tickets") == 12
    assert set(partitions.values()) == {6}


def test_every_reader_is_a_group_with_a_dead_letter_topic() -> None:
    assert {reader for topic in TOPICS for reader in topic.readers} == set(GROUPS)
    names = {topic.name for topic in all_topics()}
    assert {dead_letter_topic(group).name for group in GROUPS} <= names
    assert dead_letter_topic("csat").name == "csat.dead-letter"
