"""What may not be written, and where the one exception is."""

import ast
import re
from collections.abc import Iterator

from tests.architecture import tree

# One broad `except` per loop, where anything unknown must become a recorded outcome instead of a dead worker.
BROAD_EXCEPTS = {
    "shared/src/supportops/runtime/supervisor.py": 1,  # the process answers for a component's failure
    "shared/src/supportops/contracts/codec.py": 1,  # whatever a record holds, it is undecodable and nothing else
    "shared/src/supportops/observability/probes.py": 1,  # whatever it raises, it does not answer
    "shared/src/supportops/messaging/consumer.py": 1,  # outage waits, a batch is split, a poison record is buried
    "shared/src/supportops/messaging/reader.py": 2,  # whatever a record holds, its partition alone stands still
    "shared/src/supportops/messaging/subscription.py": 1,  # ends the consumer with the offset before the batch
    "shared/src/supportops/messaging/topic_ids.py": 1,  # an odd answer raises anything; ids can be done without
    "shared/src/supportops/delivery/attempt.py": 1,  # every error of a call becomes an outcome
    "shared/src/supportops/delivery/courier.py": 3,
    "shared/src/supportops/workers/periodic.py": 1,
    "shared/src/supportops/workers/relay.py": 4,  # the rows stay and are tried again
    "shared/src/supportops/delivery/completer.py": 1,  # every branch writes, waits or narrows down
    "shared/src/supportops/delivery/notifications.py": 1,  # a lost hint only
    "services/ingest/src/ingest/webhooks/endpoint.py": 1,  # a 500 would lose the webhook, a 503 brings it again
    "services/ingest/src/ingest/webhooks/intake.py": 2,  # a bug of ours parks the body instead of losing it
}

MAY_SERVE = {
    "shared/src/supportops/runtime/http_server.py",  # the one that all services have
    "shared/src/supportops/runtime/http_protocol.py",
    "shared/src/supportops/web/edge.py",  # what proxies say
}
"""Whoever else listened would do so without the limits of decision 108."""
SERVES = re.compile(
    r"^\s*(?:from|import) (?:uvicorn|hypercorn|granian|http\.server|socketserver|aiohttp\.web|wsgiref)\b"
    r"|^\s*from aiohttp import .*\bweb\b|\.(?:start_server|create_server)\(",
    re.MULTILINE,
)

MAY_COMMIT = {"shared/src/supportops/store/engine.py"}
MAY_SLEEP_IN_TESTS = {"tests/support/eventually.py"}


def _broad(module: tree.Module) -> int:
    handlers = (node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler))
    return sum(1 for h in handlers if _names(h) & {"Exception", "BaseException", ""} and not _raises_again(h))


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _names(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {""}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def test_broad_excepts_are_the_listed_ones() -> None:
    found = {module.path: count for module in tree.sources() if (count := _broad(module))}
    assert found == BROAD_EXCEPTS


def test_nothing_is_swallowed() -> None:
    swallowed = [
        f"{module.path}:{node.lineno}"
        for module in tree.sources()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and [type(line) for line in node.body] == [ast.Pass]
    ]
    assert swallowed == []


def _called(modules: tuple[tree.Module, ...], last: str) -> Iterator[str]:
    for module in modules:
        for name, call in tree.calls(module):
            if name.rpartition(".")[2] == last and [ast.unparse(given) for given in call.args] != ["0"]:
                yield f"{module.path}:{call.lineno} {name}"


def test_only_the_engine_commits() -> None:
    # Kafka's consumer has a commit of its own: that one is about offsets.
    database = [
        found for found in _called(tree.sources(), "commit") if "consumer" not in found.partition(" ")[2]
    ]
    assert [found for found in database if found.partition(":")[0] not in MAY_COMMIT | OFFSET_COMMITS] == []


def test_services_never_reach_past_what_a_transaction_has_collected() -> None:
    """`tx.read` and `tx.execute` write first what was collected; the bare connection does not."""
    reaching = [
        f"{module.path}:{node.lineno}"
        for module in tree.sources()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("conn", "_conn")
        if module.path.startswith("services/") and ast.unparse(node.value) == "tx"
    ]
    assert reaching == []


OFFSET_COMMITS = {"shared/src/supportops/messaging/consumer.py", "shared/src/supportops/messaging/kafka.py"}


def test_tests_never_sleep() -> None:
    assert [
        found for found in _called(tree.tests(), "sleep") if found.partition(":")[0] not in MAY_SLEEP_IN_TESTS
    ] == []


def test_tests_never_patch_by_name() -> None:
    by_name = [
        found for found in _called(tree.tests(), "patch") if ".patch" not in found.removesuffix("mock.patch")
    ]
    assert by_name == []


def test_prints_are_in_command_lines_only() -> None:
    printing = {
        found.partition(":")[0] for found in _called(tree.sources(), "print") if found.endswith(" print")
    }
    assert {path for path in printing if not path.startswith("sandbox/src/sandbox/demo/")} <= set()


def test_every_logger_names_its_module() -> None:
    """structlog's own `get_logger` takes a name and drops it; ours writes it into each line."""
    bare = [
        found for found in _called(tree.sources(), "get_logger") if found.endswith(" structlog.get_logger")
    ]
    assert {found.partition(":")[0] for found in bare} == {"shared/src/supportops/observability/logging.py"}


def test_ignores_are_rare_and_have_a_reason() -> None:
    marks = ("# type: ignore", "# noqa")
    lines = [
        (module.path, number, line)
        for module in tree.sources()
        for number, line in enumerate(module.text.splitlines(), 1)
        if any(mark in line for mark in marks)
    ]
    bare = [f"{path}:{number}" for path, number, line in lines if "[" not in line and "noqa:" not in line]
    assert bare == []
    counted = [line for line in lines if "BLE001" not in line[2]]  # those stand in the list above
    assert len(counted) <= sum(module.lines for module in tree.sources()) / 1000, counted


def test_one_server_stands_before_all_services() -> None:
    """So what holds against slow, endless, half and smuggled requests holds on each of their ports."""
    found = {module.path for module in tree.sources() if SERVES.search(module.text)}
    assert {path for path in found if not path.startswith("sandbox/")} == MAY_SERVE
