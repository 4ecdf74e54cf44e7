"""What one session finds out of a lane, the others know: in files that may be missing, damaged or out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lynkr.health import Healths, identity
from lynkr.lane import Auth, Format, Lane
from lynkr.routing.breaker import Health

LANE = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.KEY, "https://llm.example/v1", "claude-opus-5-5", key="work")
NOW = 1_795_000_000.0
RESTS = Health(3, NOW, NOW + 300.0, 1, 0.0, "529: overloaded")


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "lanes"


def file(folder: Path, lane: Lane = LANE) -> Path:
    return folder / f"{identity(lane)}.json"


# --- one session and another ------------------------------------------------------------------------------------------


def test_what_is_not_known_is_well(folder: Path) -> None:
    assert Healths(folder, Clock()).of(LANE) == Health()
    assert Healths(None, Clock()).of(LANE) == Health()
    assert not folder.exists()


def test_a_lane_that_rests_is_known_to_the_next_session(folder: Path) -> None:
    Healths(folder, Clock()).put(LANE, RESTS)
    assert Healths(folder, Clock()).of(LANE) == RESTS


def test_a_session_that_runs_hears_of_it_within_two_seconds(folder: Path) -> None:
    clock = Clock()
    one, other = Healths(folder, clock), Healths(folder, clock)
    assert other.of(LANE) == Health()
    one.put(LANE, RESTS)
    clock.now += 2
    assert other.of(LANE) == RESTS
    tried = RESTS.tried(clock.now)
    other.put(LANE, tried)
    clock.now += 2
    assert one.of(LANE) == tried
    one.put(LANE, Health())
    clock.now += 2
    assert other.of(LANE) == Health()
    assert list(folder.iterdir()) == []


def test_failures_of_several_sessions_add_up(folder: Path) -> None:
    clock = Clock()
    for n in range(3):
        session = Healths(folder, clock)
        session.put(LANE, session.of(LANE).failed(NOW + n, "refused", 3, 30.0))
    assert Healths(folder, clock).of(LANE).state(NOW + 3) == "open"
    session.put(LANE, Health())
    assert list(folder.iterdir()) == []


def test_another_process_knows_it_too(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lynkr.health import Healths; from lynkr.lane import *\n"
        "lane = Lane('other', 'anthropic', (Format.ANTHROPIC,), Auth.KEY, sys.argv[2], 'claude-opus-5-5', key='work')\n"
        "found = Healths(Path(sys.argv[1]), time.time)\n"
        "health = found.of(lane)\n"
        "print(health.state(float(sys.argv[3])), health.why)\n"
        "now = float(sys.argv[3]) + 300\n"
        "found.put(lane, health.tried(now).failed(now, 'gone', 3, 30.0))\n"
    )
    one = Healths(folder, Clock())
    one.put(LANE, RESTS)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), LANE.base_url or "", str(NOW)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("open 529: overloaded\n", "")
    found = Healths(folder, Clock(NOW + 300)).of(LANE)
    assert (found.why, found.state(NOW + 301)) == ("gone", "open")


@pytest.mark.parametrize(
    "other",
    [
        {"base_url": "https://llm.example/v2"},
        {"model": "claude-haiku-5-5"},
        {"key": "home"},
        {"key_env": "OTHER_KEY"},
        {"provider": "custom"},
        {"region": "eu-west-1"},
        {"auth": Auth.CLIENT},
    ],
)
def test_it_is_known_by_what_is_behind_it(folder: Path, other: dict[str, str]) -> None:
    Healths(folder, Clock()).put(LANE, RESTS)
    found = Healths(folder, Clock())
    assert found.of(LANE._replace(name="called otherwise", context=1000, timeout_s=9.0)) == RESTS
    assert found.of(LANE._replace(**other)) == Health()


def test_nobody_else_can_read_it_and_no_key_or_address_stands_in_it(folder: Path) -> None:
    Healths(folder, Clock()).put(LANE._replace(headers={"x-team": "blue"}), RESTS)
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == [file(folder).name]
    assert file(folder).stat().st_mode & 0o077 == 0
    text = file(folder).read_text()
    assert not any(word in text for word in ("llm.example", "work", "blue"))
    assert json.loads(text)["until"] == RESTS.until


# --- what is wrong with files -----------------------------------------------------------------------------------------

DAMAGED = [
    b"", b"{", b"null", b"[]", b"3", b'"open"', b"\xff\xfe", b"{}", b'{"failures": 3}', b"\0" * 100, b"[" * 100_000,
    b'{"failures": 3, "last": 1, "until": 2, "rests": 1, "trial": 0}',
]  # fmt: skip
WRONG = [
    {"until": "soon"},
    {"trial": []},
    {"rests": "many"},
    {"failures": {}},
    {"last": "now"},
    {"until": 1e300},
    {"rests": 10**5},
    {"until": None},
    {"why": None},
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_file_that_makes_no_sense_costs_only_what_it_would_have_said(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    file(folder).write_bytes(content)
    clock = Clock()
    found = Healths(folder, clock)
    assert found.of(LANE) == Health()
    found.put(LANE, RESTS)
    clock.now += 2
    assert found.of(LANE) == RESTS, "it is written anew"


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_file_with_wrong_values_does_not_break_a_request(folder: Path, wrong: dict[str, object]) -> None:
    folder.mkdir(parents=True)
    good = {"failures": 3, "last": NOW, "until": NOW + 10, "rests": 1, "trial": 0.0, "why": "529"}
    file(folder).write_text(json.dumps({**good, **wrong}))
    health = Healths(folder, Clock()).of(LANE)
    assert health.state(NOW + 901) != "open", "nobody rests for longer than a quarter of an hour"
    tried = health.tried(NOW + 901)
    assert tried.failed(NOW + 902, "500", 3, 30.0).state(NOW + 3600) != "open"


def test_more_than_is_known_here_does_no_harm(folder: Path) -> None:
    Healths(folder, Clock()).put(LANE, RESTS)
    held = json.loads(file(folder).read_text())
    file(folder).write_text(json.dumps({**held, "of_a_later_version": {"x": 1}}))
    assert Healths(folder, Clock()).of(LANE) == RESTS


def blocked(tmp_path: Path) -> Path:
    """A folder that cannot be made, because a file is where it should be."""
    (tmp_path / "state").write_text("")
    return tmp_path / "state" / "lanes"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    found = Healths(blocked(tmp_path), Clock())
    found.put(LANE, RESTS)
    found.put(LANE, Health())
    assert found.of(LANE) == Health()


def test_without_a_folder_a_session_still_knows_what_it_has_seen_itself(tmp_path: Path) -> None:
    clock = Clock()
    found = Healths(blocked(tmp_path), clock)
    found.put(LANE, RESTS)
    clock.now += 2
    assert found.of(LANE) == RESTS


def test_what_is_about_this_sessions_credential_is_kept_by_this_session_alone(folder: Path) -> None:
    clock = Clock()
    one = Healths(folder, clock)
    one.put(LANE, RESTS, shared=False)
    assert not folder.exists()
    assert Healths(folder, clock).of(LANE) == Health()
    for _ in range(10):
        clock.now += 2
        assert one.of(LANE) == RESTS
    one.put(LANE, Health())
    assert one.of(LANE) == Health()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read_is_read(folder: Path) -> None:
    clock = Clock()
    Healths(folder, clock).put(LANE, RESTS)
    folder.chmod(0o500)
    try:
        found = Healths(folder, clock)
        assert found.of(LANE) == RESTS
        found.put(LANE, Health())
        assert found.of(LANE) == Health()
    finally:
        folder.chmod(0o700)
