"""Who there is: the users' file, and the one password that stands for all operators.

    # name:role:hash
    ann:approve:$argon2id$v=19$m=65536,t=3,p=4$…
    bo:look:$argon2id$…

The file is read anew when it changes: who is taken off it, or gets another password or role, has no session any more.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supportops.errors import SupportOpsError
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.web.auth.passwords import fingerprint_of, is_hash
from supportops.web.auth.roles import ROLES, Role, role_of

SHARED_NAME = "operator"
SHARED_ROLE: Role = "operate"
"""Of the one password: whoever approves must be told from whoever asked, so that takes a user of one's own."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")

log = LimitedWarnings(get_logger("supportops.login"))


class UsersFileError(SupportOpsError):
    """The users' file cannot be used; the message names each line that is wrong."""


@dataclass(frozen=True)
class Account:
    """Somebody who may log in with a password."""

    name: str
    role: Role
    hashed: str

    @property
    def fingerprint(self) -> str:
        """Of password and role: a session that was opened with others is closed."""
        return fingerprint_of(self.name, self.role, self.hashed)


def parse_users(text: str, source: str = "") -> dict[str, Account]:
    """The accounts of a users' file by name. UsersFileError names every line that is wrong, never its hash."""
    found: dict[str, Account] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        account = _account(line)
        if isinstance(account, str):
            problems.append(f"{source}:{number}: {account}")
        elif account.name in found:
            problems.append(f"{source}:{number}: {account.name} stands there twice")
        else:
            found[account.name] = account
    if problems:
        raise UsersFileError("The users' file cannot be used:\n  " + "\n  ".join(problems))
    return found


def read_users(path: Path) -> dict[str, Account]:
    """The accounts of the file. UsersFileError, also when it cannot be read."""
    try:
        return parse_users(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsersFileError(f"The users' file {path} cannot be read ({type(error).__name__})") from error


def write_users(path: Path, accounts: Iterable[Account]) -> None:
    """Write the file aside and put it in its place, readable by its owner alone (a new one), or by whom it was."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    lines = [f"{each.name}:{each.role}:{each.hashed}\n" for each in sorted(accounts, key=lambda a: a.name)]
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as aside:
        aside.write("# name:role:hash, one user a line; roles: " + ", ".join(ROLES) + "\n" + "".join(lines))
    os.chmod(aside.name, mode)
    os.replace(aside.name, path)


def check_name(name: str) -> str:
    """`name`, when it can be a user's. ValueError."""
    if not _NAME.fullmatch(name) or name == SHARED_NAME:
        raise ValueError(
            f"a name has lower-case letters, digits and . _ @ + - (100 at most), and is not {SHARED_NAME!r}"
        )
    return name


class Accounts:
    """Everybody who may log in with a password, as the configuration says at this moment."""

    def __init__(self, shared_hash: str | None, users_file: Path | None) -> None:
        self._shared = {SHARED_NAME: Account(SHARED_NAME, SHARED_ROLE, shared_hash)} if shared_hash else {}
        self._file = users_file
        self._seen: tuple[int, ...] | None = None
        self._users: Mapping[str, Account] = {}

    @property
    def any(self) -> bool:
        """Whether passwords are a way to log in at all."""
        return bool(self._shared) or self._file is not None

    @property
    def have_names(self) -> bool:
        """Whether somebody must say who they are."""
        return self._file is not None

    def get(self, name: str) -> Account | None:
        """The account of this name; without a name, the one that all share."""
        return self._shared.get(name or SHARED_NAME) or self._current().get(name)

    def _current(self) -> Mapping[str, Account]:
        """The users of the file; nobody while it cannot be used (a mistake in it must not keep anybody in)."""
        if self._file is None:
            return {}
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._users = read_users(self._file)
                self._seen = seen
        except (OSError, UsersFileError) as error:
            self._seen, self._users = None, {}
            log.warning(
                "login.users_file_unusable", cause="users file", file=str(self._file), problem=str(error)
            )
        return self._users


def _account(line: str) -> Account | str:
    """The account of a line, or what is wrong with it."""
    name, _, rest = line.strip().partition(":")
    word, _, hashed = rest.partition(":")
    role = role_of(word)
    if role is None:
        return f"the role of {name[:40]!r} must be one of {', '.join(ROLES)} (name:role:hash)"
    if not is_hash(hashed):
        return f"what follows {name[:40]!r} and its role must be a hash, beginning with $argon2id$"
    try:
        return Account(check_name(name), role, hashed)
    except ValueError as error:
        return str(error)
