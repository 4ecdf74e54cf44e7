"""The notes of standing proxies: each takes away its own."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from lynkr import stands
from lynkr.cli import serve
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


def test_stop_waits_as_long_as_the_proxy_gives_its_requests(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, there = [0.0], replace(note(os.getpid()), drain_s=605.0)

    def sleeps(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("lynkr.cli.serve.time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleeps))
    monkeypatch.setattr(stands, "end", lambda _: None)
    monkeypatch.setattr(stands, "standing", lambda _: [there] if clock[0] < 600 else [])
    assert CliRunner().invoke(serve.command, ["stop"]).exit_code == 0
    assert clock[0] >= 600
