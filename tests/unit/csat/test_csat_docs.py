"""docs/csat.md says what the code says: the table of rules, the commands, the settings that it names."""

import re

from csat.__main__ import app
from csat.settings import Settings
from supportops.config import describe
from tests.support.rules_table import PAGE, written

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_of_rules_is_the_models() -> None:
    assert written(TEXT) == TEXT, "run `make generate`"


def test_every_command_is_explained_and_none_beside() -> None:
    app.complete()
    shown = [command for command in app.registered_commands if not command.hidden]
    there = {command.name or getattr(command.callback, "__name__", "") for command in shown}
    there |= {str(group.name) for group in app.registered_groups}
    told = set(re.findall(r"`csat ([a-z]+(?:-[a-z]+)*)", TEXT))
    assert there <= told
    assert told <= there


def test_the_settings_that_it_names_exist() -> None:
    there = {variable.name for variable in describe(Settings)}
    told = set(re.findall(r"`((?:CSAT|GITLAB|ZENDESK|KAFKA|DATABASE|CONFIG)_[A-Z_]+)`", TEXT))
    assert {name.removesuffix("_FILE") if name != "CONFIG_FILE" else name for name in told} <= there
