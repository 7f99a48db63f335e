"""`csat hash-password`: needs no settings, since it makes one of them."""

import sys

import typer

from supportops.runtime.cli import UNUSABLE
from supportops.web.auth.passwords import UnfitPassword, hash_password


def add_login_commands(app: typer.Typer) -> None:
    """Add the command of this file to csat's command line."""

    @app.command("hash-password")
    def hash_a_password() -> None:
        """Hash a password for CSAT_DASHBOARD_PASSWORD_HASH: asked for twice, or read from the first line of stdin."""
        try:
            hashed = hash_password(_ask())
        except UnfitPassword as error:
            typer.echo(f"csat: {error}", err=True)
            raise typer.Exit(UNUSABLE) from None
        typer.echo(hashed)
        typer.echo("In a .env file write it between 'single quotes': it holds dollar signs.", err=True)


def _ask() -> str:
    """The password, never from the command line, where others could see it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
