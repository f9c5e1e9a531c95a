"""The loop in which a worker's wake-ups run, where it cannot even begin."""

from __future__ import annotations

import pytest

from gendan import wake_ups
from gendan.wake_ups import WakeUpLoop
from models.errors import Unavailable


class NobodyAnswers:
    """Prefect's client while its server is away."""

    def __init__(self) -> None:
        raise RuntimeError("Failed to reach API at http://127.0.0.1:4200/api/")


@pytest.mark.timeout(20)
def test_a_worker_that_begins_while_prefect_is_away_ends_and_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is started again by whoever keeps it."""
    monkeypatch.setattr(wake_ups, "AsyncClientContext", NobodyAnswers)

    with pytest.raises(Unavailable, match="Failed to reach API"):
        WakeUpLoop().start()
