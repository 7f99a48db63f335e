"""The AsyncAPI project's own parser accepts docs/asyncapi.yaml, and refuses a broken one."""

from pathlib import Path

from supportops.contracts import EVENTS
from tests.support import node

HERE = Path(__file__).parent / "asyncapi"
DOCUMENT = Path("docs/asyncapi.yaml")


def test_the_parser_accepts_the_document_and_refuses_a_broken_one(tmp_path: Path) -> None:
    parser = node.installed(HERE)
    code, found = node.check(parser, str(DOCUMENT.resolve()))
    assert [each for each in found["diagnostics"] if each["severity"] == 0] == []
    assert code == 0
    assert found["messages"] == len(EVENTS)
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text().replace("action: send", "action: shout", 1))
    assert node.check(parser, str(broken))[0] == 1
