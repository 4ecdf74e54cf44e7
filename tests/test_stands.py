"""The notes of standing proxies: each takes away its own."""

from __future__ import annotations

import os

import pytest

from lynkr.paths import Paths
from lynkr.stands import Stands, born, gone, leave, standing


def note(pid: int, port: int = 4000) -> Stands:
    """A note of a process that runs."""
    return Stands(pid, "127.0.0.1", port, ("work",), "2026-11-21T10:00:00Z", born=born(pid))


@pytest.fixture
def ours() -> Stands:
    return note(os.getpid())


@pytest.fixture
def theirs() -> Stands:
    return note(os.getppid())


def test_whoever_goes_leaves_the_note_of_another_process_on_the_same_port(
    where: Paths, ours: Stands, theirs: Stands
) -> None:
    leave(where, ours)
    leave(where, theirs)
    gone(where, ours)
    assert standing(where) == [theirs]


def test_whoever_goes_takes_its_own_note_and_no_other(where: Paths, ours: Stands) -> None:
    other = note(os.getpid(), 4001)
    leave(where, ours)
    leave(where, other)
    gone(where, ours)
    assert standing(where) == [other]
    gone(where, ours)
    assert standing(where) == [other]
