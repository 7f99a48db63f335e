"""One thing that was changed, and how several tellings of it become one."""

from msgspec import Struct, structs

from notifier.policy.kinds import Kind

Value = str | list[str] | bool | None


class Changed(Struct, frozen=True):
    """One thing that was changed, by ids and REST words; None is empty, or was not told.

    Of tags `before` is what was taken away and `after` what was added. `note`: the reason of a rating.
    """

    kind: Kind
    version: str
    before: Value = None
    after: Value = None
    note: str | None = None


Changes = dict[str, Changed]
"""By what was changed: `status`, `assignee`, `field:360001`, …"""


def joined(changes: Changes, others: Changes) -> Changes:
    """Two changes of one thing are one, from what it was to what it is; of tags all that came and all that went."""
    both = {name: _one(changes[name], others[name]) for name in changes.keys() & others.keys()}
    return changes | others | both


def texts_of(value: Value) -> frozenset[str]:
    """A list as a set; anything else is an empty one."""
    return frozenset(value) if isinstance(value, list) else frozenset()


def _one(change: Changed, other: Changed) -> Changed:
    older, newer = sorted((change, other), key=lambda each: (each.version, repr(each)))
    if isinstance(older.after, list) or isinstance(newer.after, list):
        gone, came = (
            (texts_of(older.before), texts_of(newer.before)),
            (texts_of(older.after), texts_of(newer.after)),
        )
        return structs.replace(newer, before=sorted(gone[0] | gone[1]), after=sorted(came[0] | came[1]))
    return structs.replace(newer, before=newer.before if older.before is None else older.before)
