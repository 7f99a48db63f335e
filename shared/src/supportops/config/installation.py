"""Is this a real installation or one for trying things out? And is it safe as what it says it is (decision 114)?"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from supportops.config.environment import Block
from supportops.config.secret_rules import wrong_secrets

type Mode = Literal["production", "test"]

TRY = "SUPPORTOPS_MODE=test"


class InstallationSettings(Block):
    """What the whole installation is for; the same for all of its services."""

    model_config = SettingsConfigDict(env_prefix="SUPPORTOPS_", populate_by_name=True)

    mode: Mode = Field(
        "production",
        validation_alias=AliasChoices("SUPPORTOPS_MODE", "INGEST_MODE"),  # the second: its name until 0.1
        description="test: stand-ins for all accounts, and their published secrets, as in the demo.",
    )


def unsafe(mode: Mode, blocks: Sequence[Block]) -> list[str]:
    """What must not be in an installation of this kind, each with its variable and remedy; no value is quoted."""
    accounts = [account for block in blocks for account in block.outside_accounts()]
    stand_ins = [name for name, stand_in in accounts if stand_in]
    real = [name for name, stand_in in accounts if not stand_in]
    if mode == "test":
        return list(_real_in_a_test(real, stand_ins))
    secrets = (secret for block in blocks for secret in block.credentials())
    return [
        *(
            f"{name}: is the address of a stand-in (http), and this is production: name the real account, or set "
            f"{TRY} to run with stand-ins alone"
            for name in stand_ins
        ),
        *wrong_secrets(secrets),
    ]


def _real_in_a_test(real: Iterable[str], stand_ins: Sequence[str]) -> Iterator[str]:
    beside = f" beside the stand-ins of {' and '.join(stand_ins)}" if stand_ins else ""
    for name in real:
        yield (
            f"{name}: is a real account{beside}, and {TRY} takes published secrets: name a stand-in, or remove "
            f"{TRY} (or INGEST_MODE=test)"
        )
