"""What an operator may do: look; also operate (ask for something, try again); also approve what others asked for."""

from collections.abc import Iterable
from typing import Literal, get_args

Role = Literal["look", "operate", "approve"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each includes those before it."""


def includes(role: Role, wanted: Role) -> bool:
    """Whether somebody with `role` may do what needs `wanted`."""
    return ROLES.index(role) >= ROLES.index(wanted)


def role_of(word: str) -> Role | None:
    """The role of this name; None when there is none."""
    return next((role for role in ROLES if role == word), None)


def highest(words: Iterable[str]) -> Role | None:
    """The highest role among words, of which others may mean something elsewhere; None when none is a role."""
    known = [role for word in words if (role := role_of(word.strip()))]
    return max(known, key=ROLES.index, default=None)
