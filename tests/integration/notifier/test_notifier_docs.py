"""docs/notifier.md: every command that it names is there, and those of the switch-over do what it says."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import typer

from notifier.__main__ import app
from notifier.feeds.decisions import keep_rules
from notifier.settings import Settings
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import Outside
from tests.support.commands import run_command
from tests.support.sandbox import ZENDESK_CLIENT

TEXT = Path("docs/notifier.md").read_text(encoding="utf-8")
SWITCH = TEXT[TEXT.index("## Switching over") : TEXT.index("## Notices that are no feed lines")]
BLOCKS = re.findall(r"```console\n(.*?)```", SWITCH, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


def test_every_command_that_it_names_is_there() -> None:
    app.complete()
    group = typer.main.get_command(app)
    there = {name for name, command in group.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    assert set(re.findall(r"`notifier ([a-z][a-z-]+)", TEXT)) <= there
    assert {shlex.split(line)[1] for line in COMMANDS} <= there
    explained = {
        "doctor",
        "explain",
        "preview",
        "backtest",
        "check-config",
        "promises",
        "silence",
        "deliveries",
        "work",
    }
    assert explained <= set(re.findall(r"notifier ([a-z][a-z-]+)", TEXT))


def environment(settings: Settings, outside: Outside, rules: Path) -> dict[str, str]:
    """As an operator sets it; nobody is at the broker's address."""
    return ZENDESK_CLIENT | {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "DATABASE_URL": settings.database.url.get_secret_value(),
        "ZENDESK_BASE_URL": f"{outside.base_url}/zendesk",
        "SLACK_BASE_URL": f"{outside.base_url}/slack/api",
        "SLACK_TOKEN": "xoxb-sandbox",
        "CONFIG_FILE": str(rules),
        "INSTALLATION": "test",
    }


RULES_FILE = """\
notifier:
  feeds:
    - {name: self-managed, channel: C0SELFMANAGED, forms: {exclude: [GitLab.com]}}
  breaches:
    rules:
      - {name: b, channel: C0BREACHSM, title: T, tags: {any: [premium]}, tag: null}
"""
SAID = {
    "check-config": "",
    "preview": "self-managed (C0SELFMANAGED)",
    "migrate": "",
    "doctor": "sibling automations",
    "explain": "posted in zd-self-managed-feed",
    "promises": "",
    "backtest": "messages",
    "silence": "",
    "deliveries": "",
}


AS_JSON = ("notifier doctor", "notifier silence list")


def distinct(lines: list[str]) -> list[str]:
    """Each command once; of those with subcommands each of these, of previews the example and the ticket."""
    subjects = {line: tuple(shlex.split(line)[1:3]) for line in lines}
    names = {line: two if two[0] in ("silence", "preview") else two[:1] for line, two in subjects.items()}
    return [
        line
        for number, line in enumerate(lines)
        if names[line] not in [names[each] for each in lines[:number]]
    ]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_the_commands_of_the_switch_over_do_what_it_says(
    service: Service, settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    ticket = outside.create(form="Self-Managed", subject="Down")
    async with service.store.transaction() as tx:
        await keep_rules(tx, RULES)
    await service.after(created(ticket, datetime.now(UTC)))
    files = {name: tmp_path / name for name in ("trial.yaml", "new-rules.yaml", "example.json")}
    for name, path in files.items():
        path.write_text("{}" if name.endswith("json") else RULES_FILE)
    known = environment(settings, outside, files["trial.yaml"])

    def run(*arguments: str) -> CompletedProcess[str]:
        return run_command("notifier", *arguments, environment=known)

    values = {"12345": str(ticket["id"])} | {name: str(path) for name, path in files.items()}
    for line in distinct(COMMANDS):
        arguments = [values.get(word, word) for word in shlex.split(line)[1:]]
        done = run(*arguments, *(["--json"] if line in AS_JSON else []))
        command, output = arguments[0], done.stdout + done.stderr
        assert done.returncode == (1 if command == "doctor" else 0), (line, output)  # no broker is there
        assert SAID[command] in output, (line, output)
        if command == "doctor":
            red = [each["check"] for each in json.loads(done.stdout) if each["verdict"] == "failed"]
            assert red == ["broker"], output
        if line == "notifier silence list":
            (silence,) = json.loads(done.stdout)
            assert (silence["about"], silence["value"]) == ("rule", "self-managed")
            values["ID"] = silence["id"]
    assert json.loads(run("silence", "list", "--json").stdout) == []
    leaking = tmp_path / "leaking.yaml"
    leaking.write_text(RULES_FILE.replace("C0SELFMANAGED,", "C0SELFMANAGED, private_comments: true,"))
    refused = run("backtest", "--no-read", "--rules", str(leaking))
    assert (refused.returncode, "LEAK into C0SELFMANAGED" in refused.stderr) == (1, True), refused
