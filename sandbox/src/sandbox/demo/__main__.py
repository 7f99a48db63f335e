"""`python -m sandbox.demo run` (make demo) and `check` (make demo-check)."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from sandbox.demo import DASHBOARD_KEY
from sandbox.demo.processes import DemoError, Processes
from sandbox.demo.run import play
from sandbox.demo.stack import Stack, empty_folder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A support day on this machine.")

Home = Annotated[Path, typer.Option(help="Folder for databases, logs and endpoints.json; emptied first.")]
Config = Annotated[Path, typer.Option(help="The rules; the demo's have seconds where real ones have hours.")]
HOME, CONFIG = Path(".demo"), Path("config/demo.yaml")


@app.command()
def run(home: Home = HOME, config: Config = CONFIG) -> None:
    """Start everything, play the day, stay until Ctrl-C, leave nothing running."""
    raise typer.Exit(_demo(home, config, stay=True))


@app.command()
def check(home: Home = HOME, config: Config = CONFIG) -> None:
    """Start everything, play the day, verify every effect exactly once; non-zero when one is missing or doubled."""
    raise typer.Exit(_demo(home, config, stay=False))


def _demo(home: Path, config: Path, *, stay: bool) -> int:
    signal.signal(signal.SIGTERM, _as_interrupt)
    begin = time.monotonic()
    with Processes(empty_folder(home) / "logs") as processes:
        stack = Stack(home, config, processes)
        try:
            stack.start()
            typer.echo(f"ready after {time.monotonic() - begin:.1f} s; logs in {home}/logs")
            for name, address in stack.endpoints().items():
                typer.echo(f"  {name:15}{address}")
            right = play(stack.addresses(), operator=stack.operator())
            if stay:
                _stay(processes, stack)
        except KeyboardInterrupt:
            return 0
        except DemoError as error:
            typer.echo(f"demo: {error}", err=True)
            return 1
    return 0 if right else 1


def _stay(processes: Processes, stack: Stack) -> None:
    typer.echo("\nEverything stays up; Ctrl-C ends it.")
    typer.echo(f"  tickets, channels, records and issues as they fill: {stack.sandbox_url}/")
    typer.echo(f"  the managers' dashboard: {stack.url('csat')}/dashboard (password {DASHBOARD_KEY})")
    while True:
        processes.check()
        time.sleep(0.5)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
