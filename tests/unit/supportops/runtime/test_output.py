"""What commands print for people and for programs."""

import json
from datetime import UTC, datetime

import pytest

from supportops.runtime.output import Row, emit

ROWS: list[Row] = [{"id": "1", "kind": "solved"}, {"id": "2", "note": None}]


def test_lines_of_tabs_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    emit(ROWS, as_json=False)
    assert capsys.readouterr().out == "id\tkind\tnote\n1\tsolved\t\n2\t\t\n"


def test_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    emit([], as_json=False)
    assert capsys.readouterr().out == "nothing to show\n"


def test_json_of_nothing_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_json_takes_moments(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"at": datetime(2026, 3, 1, tzinfo=UTC)}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"at": "2026-03-01T00:00:00+00:00"}


def test_a_strangers_text_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    emit([{"subject": "\x1b[31mred\ttab\nline"}], as_json=False)
    assert capsys.readouterr().out == "subject\n\\x1b[31mred\\ttab\\nline\n"


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    emit([{"subject": "[bold]not markup[/bold]", "id": 1}], as_json=False, title="Parked")
    out = capsys.readouterr().out
    assert "Parked" in out
    assert "[bold]not markup[/bold]" in out
