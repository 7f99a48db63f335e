"""The documents in docs/ say what the models say, and a published version cannot be broken unseen."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from supportops.contracts import EVENTS, TOPICS, generate
from supportops.contracts.schemas import breaks, schema_of
from tests.support.for_each import for_each

DOCS = Path("docs")
SOLVED = schema_of(EVENTS["support.ticket.solved.v1"])


def changed(change: Any) -> dict[str, Any]:
    schema = copy.deepcopy(SOLVED)
    change(schema)
    return schema


def test_what_is_checked_in_is_what_the_models_say() -> None:
    assert generate.stale(DOCS) == []
    assert generate.incompatible(DOCS) == []


def test_a_stale_file_is_noticed(tmp_path: Path) -> None:
    assert "asyncapi.yaml" in generate.stale(tmp_path)
    generate.main(check=False, docs=tmp_path)
    assert generate.stale(tmp_path) == []
    (tmp_path / "events.md").write_text("something else")
    assert generate.stale(tmp_path) == ["events.md"]


def test_an_incompatible_change_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    generate.main(check=False, docs=tmp_path)
    path = tmp_path / "schemas" / "support.ticket.solved.v1.json"
    published = json.loads(path.read_text())
    published["properties"]["solver"] = {"type": "string"}
    path.write_text(json.dumps(published))
    with pytest.raises(BaseException, match="1"):
        generate.main(check=False, docs=tmp_path)
    assert json.loads(path.read_text()) == published
    assert generate.incompatible(tmp_path) == ["support.ticket.solved.v1: solver is gone"]


def test_an_event_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "support.ticket.vanished.v1.json").write_text("{}")
    assert "the event is gone" in generate.incompatible(tmp_path)[0]


@for_each(
    "change",
    [
        lambda s: s["properties"].update(extra={"type": "string"}),
        lambda s: s["$defs"]["TicketSnapshot"]["properties"].update(extra={"type": "string"}),
        lambda s: s.update(description="other words"),
        lambda s: s["properties"]["version"].update(description="other words"),
    ],
)
def test_what_may_change(change: Any) -> None:
    assert breaks(SOLVED, changed(change)) == []


@for_each(
    "change",
    [
        lambda s: s["properties"].pop("solved_at"),
        lambda s: s["properties"].pop("previous_status"),
        lambda s: s["properties"]["ticket_id"].update(type="integer"),
        lambda s: s["properties"]["ticket_id"].update(pattern="^[0-9]{1,9}$"),
        lambda s: s["properties"]["road"]["enum"].pop(),
        lambda s: s["required"].append("previous_status"),
        lambda s: s["required"].remove("solved_at"),
        lambda s: (s["properties"].update(extra={"type": "string"}), s["required"].append("extra")),
        lambda s: s["$defs"]["TicketSnapshot"]["properties"].pop("organization_id"),
        lambda s: s["$defs"]["TicketSnapshot"]["properties"]["tags"]["anyOf"].pop(),
    ],
)
def test_what_may_not_change(change: Any) -> None:
    assert breaks(SOLVED, changed(change)) != []


def test_the_asyncapi_document_holds_every_topic_and_event() -> None:
    document = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} >= {
        topic.name for topic in TOPICS
    }
    assert {message["name"] for message in document["components"]["messages"].values()} == set(EVENTS)
    assert "id" not in document["components"]["schemas"]["TicketSolved"]["properties"]
