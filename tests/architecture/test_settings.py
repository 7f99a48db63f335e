"""Settings, .env.example and the compose file say the same."""

import re
from typing import Any

import pytest
import yaml

import csat.settings
import notifier.settings
import sfdc_sync.settings
from supportops.config import DatabaseCommandSettings, SettingsGroup, describe
from supportops.web.auth.settings import OperatorsSettings
from tests.architecture.tree import ROOT
from tests.support import env_example

CONTAINERS: dict[str, type[SettingsGroup]] = {
    "ingest": env_example.settings_of("ingest"),
    "csat": env_example.settings_of("csat"),
    "csat-web": csat.settings.WebSettings,
    "sfdc-sync": env_example.settings_of("sfdc_sync"),
    "sfdc-sync-web": sfdc_sync.settings.WebSettings,
    "notifier": env_example.settings_of("notifier"),
    "notifier-web": notifier.settings.WebSettings,
    **{f"{name}-migrate": DatabaseCommandSettings for name in ("ingest", "csat", "sfdc-sync", "notifier")},
}
"""What each container of ours reads."""

SET_BY_THE_IMAGE = {"HTTP_HOST", "HTTP_PORT", "SIDE_HOST", "SIDE_PORT"}
OLD_NAMES = {"INGEST_MODE"}  # of SUPPORTOPS_MODE
NOT_FOR_REPLICAS = {"KAFKA_GROUP_INSTANCE_ID"}  # one name for all replicas would be one member


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_env_example_is_what_the_settings_classes_say() -> None:
    assert env_example.FILE.read_text() == env_example.render(), "run make env-example"


def test_every_name_in_env_example_is_read_by_somebody() -> None:
    written = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", env_example.FILE.read_text(), re.MULTILINE))
    assert written == set(env_example.variables()) | set(env_example.COMPOSE_ONLY)


@pytest.mark.parametrize("container", sorted(CONTAINERS))
def test_compose_gives_each_container_its_settings_and_no_others(container: str) -> None:
    known = {
        f"{variable.name}_FILE" if variable.secret and variable.name != "DATABASE_URL" else variable.name
        for variable in describe(CONTAINERS[container])
    }
    given = set(_compose()["services"][container]["environment"])
    assert given <= known
    assert known - given <= SET_BY_THE_IMAGE | NOT_FOR_REPLICAS


def test_compose_reads_only_names_that_env_example_explains() -> None:
    read = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    former = {name for name in read if name.startswith(OperatorsSettings.former_prefix)}
    assert read - former - OLD_NAMES <= set(env_example.variables()) | set(env_example.COMPOSE_ONLY)
