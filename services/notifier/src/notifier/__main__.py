"""The command line of the notifier."""

from typing import TYPE_CHECKING

from supportops.loading import loading

with loading():
    from notifier.service import SERVICE
    from supportops.runtime.cli import build_app

if TYPE_CHECKING:
    import typer


def operators_commands(app: "typer.Typer") -> None:
    """All that a process which serves, works or migrates does without, and does not load (decision 190)."""
    with loading():
        from notifier.commands import add_commands

    add_commands(app)


app = build_app(SERVICE, operators_commands)


if __name__ == "__main__":
    app()
