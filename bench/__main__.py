"""`make bench`: every row of docs/performance.md on real Apache Kafka and PostgreSQL, floors in the same run.

    python -m bench [--only ROW ...] [--write docs/performance.md]

Exit code 0 also where a target is missed: figures inform, they are never a gate.
"""

import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bench import (
    breaches,
    claims,
    consumer,
    ingest,
    numbers,
    organizations,
    road,
    salesforce,
    statements,
    timers,
    workers,
)
from bench.figures import Figure, markdown
from bench.servers import Servers, servers

ROWS: dict[str, Callable[[Servers], list[Figure]]] = {
    "ingest": ingest.measure,
    "consumer": consumer.measure,
    "workers": workers.measure,
    "timers": timers.measure,
    "claims": claims.measure,
    "breaches": breaches.measure,
    "salesforce": salesforce.measure,
    "organizations": organizations.measure,
    "numbers": numbers.measure,
    "statements": statements.measure,
    "road": road.measure,
    "memory": road.measure_memory,
}
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Measure these rows: {', '.join(ROWS)}.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Put the table into this page, between its marks.")
    ] = None,
) -> None:
    """Measure and print figure, floor, ratio and target of every row."""
    unknown = set(only or ()) - set(ROWS)
    if unknown:
        raise typer.BadParameter(f"unknown row {', '.join(sorted(unknown))}; there are: {', '.join(ROWS)}")
    figures: list[Figure] = []
    for name in only or ROWS:
        typer.echo(f"measuring {name} …", err=True)
        with servers() as running:
            found = ROWS[name](running)
        figures += found
        for figure in found:
            typer.echo("  " + " | ".join(figure.cells()), err=True)
    table = f"{circumstances()}\n\n{markdown(figures)}"
    typer.echo(table)
    typer.echo(f"\n{sum(figure.met for figure in figures)} of {len(figures)} targets met")
    if write is not None:
        put(write, table)


def circumstances() -> str:
    """When, on what, with which versions."""
    packages = ("aiokafka", "sqlalchemy", "asyncpg", "uvicorn", "pydantic")
    commit = subprocess.run(  # nosec B603 B607 # git, our own arguments
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit.stdout.strip()}, `make bench`, "
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages)
    )


def put(page: Path, table: str) -> None:
    """Replace what stands between the page's marks."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
