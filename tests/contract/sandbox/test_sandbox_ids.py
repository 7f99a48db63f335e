"""15 and 18 characters: the published vectors of docs/vendors/salesforce.md#record-ids."""

from sandbox.salesforce.ids import IdMaker, normal, to18
from tests.support.for_each import for_each
from tests.support.record_ids import VECTORS


@for_each("short, suffix", VECTORS.items())
def test_suffix(short: str, suffix: str) -> None:
    assert to18(short) == short + suffix
    assert normal(short) == normal(short + suffix) == short + suffix


@for_each("wrong", ["", "001", "001D000000IqhSLAAA", "001D000000IqhS!", "001D000000IqhSLIA"])
def test_malformed(wrong: str) -> None:
    assert normal(wrong) is None


def test_made_ids_are_well_formed_and_differ() -> None:
    maker = IdMaker()
    made = [maker.next("a0K") for _ in range(200)]
    assert len(set(made)) == 200
    assert all(normal(key) == key and key.startswith("a0K") for key in made)
