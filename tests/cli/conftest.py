"""What the tests of `lynkr serve` share: an upstream that can be slow, and a profile that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import profile
from scripts import Upstream, upstream
from standing import LANE, Slow


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def up(clean_machine: Path, slow: Slow) -> Iterator[Upstream]:
    """The lane of the profile `work`."""
    with upstream(slow) as found:
        profile(clean_machine, "work", LANE.format(name="main", url=found.url))
        yield found
