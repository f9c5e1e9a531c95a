"""The table of the settings of Prefect's services in docs/benchmarks.md says what `gendan up` sets, of each service."""

from __future__ import annotations

import re
from pathlib import Path

from prefect.settings.models.server.services import ServerServicesSettings

from gendan.environment import _RELIED_ON, _SUGGESTED

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(PREFECT_\w+)` \| [^|]+ \| `?([^|`]+)`? \| [^|]+ \|$", PAGE, re.MULTILINE))
OF_THE_SERVICES = ("PREFECT_SERVER_SERVICES_", "PREFECT_SERVER_EVENTS_", "PREFECT_SERVER_ANALYTICS_", "PREFECT_WORKER_")


def test_what_is_set_for_the_services_stands_in_the_table_as_it_is_set() -> None:
    ours = {name: value for name, value in (_SUGGESTED | _RELIED_ON).items() if name.startswith(OF_THE_SERVICES)}

    assert ours
    assert ours.items() <= ROWS.items()


def test_what_is_left_as_it_comes_is_named_too() -> None:
    left = {name for name, value in ROWS.items() if value == "as it comes"}

    assert not left & (_SUGGESTED | _RELIED_ON).keys()
    for service in ServerServicesSettings.model_fields:
        assert any(name.startswith(f"PREFECT_SERVER_SERVICES_{service.upper()}_") for name in ROWS), service
