"""How names of accounts and organizations are compared. Pure."""

import unicodedata


def folded(name: str) -> str:
    """A name as two of them are compared: as it is shown, without regard to case."""
    return shown(shown(name).casefold())


def shown(name: str) -> str:
    """A name as people see it: in one Unicode form, with single blanks, without characters that have no width."""
    plain = unicodedata.normalize("NFKC", name)
    return " ".join("".join(each for each in plain if unicodedata.category(each) != "Cf").split())
