"""`hash-password` and `operators add | list | remove`: no settings are needed, since they make some of them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from supportops.runtime.cli import UNUSABLE, AsJson
from supportops.runtime.output import emit
from supportops.web.auth.accounts import Account, UsersFileError, check_name, read_users, write_users
from supportops.web.auth.passwords import UnfitPassword, hash_password
from supportops.web.auth.roles import ROLES, Role, role_of

FILE = "OPERATORS_USERS_FILE"
UsersFile = Annotated[
    Path | None, typer.Option("--file", help=f"The users' file; else the one that {FILE} names.")
]


def add_login_commands(app: typer.Typer, service: str) -> None:
    """Add the commands of this file to a service's command line."""
    users = typer.Typer(no_args_is_help=True, help="The users' file: who may log in to the operators' pages.")
    app.add_typer(users, name="operators")

    @app.command("hash-password")
    def hash_a_password() -> None:
        """Hash a password for OPERATORS_PASSWORD_HASH: asked for twice, or read from the first line of stdin."""
        typer.echo(_or_explain(service, lambda: hash_password(_ask())))
        typer.echo("In a .env file write it between 'single quotes': it holds dollar signs.", err=True)

    @users.command("add")
    def add(
        name: Annotated[str, typer.Argument(help="Who; a user of that name gets this role and password.")],
        role: Annotated[
            str, typer.Option(help=f"One of {', '.join(ROLES)}; each includes the former.")
        ] = "look",
        file: UsersFile = None,
    ) -> None:
        """Add a user, or change one. The password is asked for twice, or read from the first line of stdin."""

        def write() -> Path:
            path, account_role = _path(file), _role(role)
            known = read_users(path) if path.exists() else {}
            known[check_name(name)] = Account(name, account_role, hash_password(_ask()))
            write_users(path, known.values())
            return path

        typer.echo(f"{name} is {role} in {_or_explain(service, write)}")

    @users.command("list")
    def show(file: UsersFile = None, as_json: AsJson = False) -> None:
        """Show the users and their roles."""
        known = _or_explain(service, lambda: read_users(_path(file)))
        rows = [{"name": each.name, "role": each.role} for each in known.values()]
        emit(rows, as_json=as_json, title="Operators")

    @users.command("remove")
    def remove(name: str, file: UsersFile = None) -> None:
        """Remove a user; their sessions end at once, at every service that reads this file."""

        def write() -> Path:
            path = _path(file)
            known = read_users(path)
            if name not in known:
                raise ValueError(f"there is no user {name!r}")
            write_users(path, (each for each in known.values() if each.name != name))
            return path

        typer.echo(f"{name} is no longer in {_or_explain(service, write)}")


def _or_explain[T](service: str, job: Callable[[], T]) -> T:
    """What `job` gives; a mistake becomes one line and exit code 2."""
    try:
        return job()
    except (UnfitPassword, UsersFileError, ValueError, OSError) as error:
        typer.echo(f"{service}: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None


def _path(file: Path | None) -> Path:
    found = file or (Path(named) if (named := os.environ.get(FILE)) else None)
    if found is None:
        raise ValueError(f"name the users' file: --file PATH, or {FILE}")
    return found


def _role(word: str) -> Role:
    role = role_of(word)
    if role is None:
        raise ValueError(f"the role must be one of {', '.join(ROLES)}")
    return role


def _ask() -> str:
    """The password, never from the command line, where others could see it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
