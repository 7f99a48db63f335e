"""The AsyncAPI project's own parser accepts docs/asyncapi.yaml, and refuses a broken one."""

from pathlib import Path

from supportops.contracts import EVENTS
from tests.support import node

HERE = Path(__file__).parent / "asyncapi"
DOCUMENT = Path("docs/asyncapi.yaml")


def test_the_parser_accepts_the_document_and_refuses_a_broken_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text().replace("action: send", "action: shout", 1))
    code, found = node.check(node.installed(HERE), str(DOCUMENT.resolve()), str(broken))
    assert code == 0
    assert found[str(DOCUMENT.resolve())] == {"messages": len(EVENTS), "errors": []}
    assert found[str(broken)]["errors"]
