"""A migration holds up nobody who writes: indexes of tables that are there already are made concurrently."""

import ast

import pytest
from alembic.script import ScriptDirectory

from supportops.store.migrate import current_head, revisions
from tests.architecture import tree

BEFORE_THE_RULE = {
    "services/csat/src/csat/migrations/versions/0003_complete.py",
    "services/sfdc-sync/src/sfdc_sync/migrations/versions/0009_matching.py",
}


def test_a_migration_makes_indexes_of_its_own_new_tables_only() -> None:
    """Any other is declared with its table, and `migrate` makes it (supportops/store/indexes.py)."""
    found = [
        f"{module.path}:{line} makes an index of {table}: declare it with the table instead, `migrate` makes it"
        for module in tree.sources()
        if "/migrations/versions/" in module.path and module.path not in BEFORE_THE_RULE
        for table, line in _calls(module.tree, "create_index", 1)
        if table not in {name for name, _ in _calls(module.tree, "create_table", 0)}
    ]
    assert found == []


@pytest.mark.parametrize("service", tree.SERVICES)
def test_what_a_process_reads_of_its_history_is_what_alembic_finds(service: str) -> None:
    """A process reads the names of revisions from their files, without loading Alembic."""
    folder = service.replace("_", "-")
    history = ScriptDirectory(str(tree.ROOT / f"services/{folder}/src/{service}/migrations"))
    assert current_head(service) == history.get_current_head()
    assert revisions(service) == {each.revision for each in history.walk_revisions()}


def _calls(module: ast.Module, name: str, argument: int) -> list[tuple[str, int]]:
    """The table that each call of `op.<name>` names, and its line; one that a loop names is its own business."""
    return [
        (ast.unparse(node.args[argument]), node.lineno)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
        if isinstance(node.args[argument], ast.Constant)
    ]
