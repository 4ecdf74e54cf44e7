"""Answers on disk: plain JSON, the owner's alone, safe for many sessions at once; never a reason for a session to stop."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lynkr.answers.shelf import Shelf

HOUR, MB = 3600.0, 1_000_000
# As another session does: puts and gets a numbered answer, over and over; says how often what it got was not what was put.
HAMMER = """
import sys
from pathlib import Path
from lynkr.answers.shelf import Shelf
folder, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
shelf = Shelf(folder, 3600, 256_000_000, lambda said: print("SAID", said))
print("begun", flush=True)
lost = mixed = 0
n = 0
while n != rounds:
    key = f"{name}-{n % 200}"
    value = {"who": name, "n": n, "text": f"{name}:{n}:" + "x" * (n % 3000)}
    shelf.put(key, value)
    got = shelf.get(key)
    lost += got is None
    mixed += got is not None and got != {**value, "schema": 1}
    got = shelf.get(f"shared-{n % 50}")
    mixed += got is not None and got["text"] != f"{got['who']}/{got['n']}"
    shelf.put(f"shared-{n % 50}", {"who": name, "n": n, "text": f"{name}/{n}"})
    n += 1
print(lost, mixed)
"""


def shelf(folder: Path, kept_s: float = HOUR, most: int = 10 * MB) -> tuple[Shelf, list[str]]:
    said: list[str] = []
    return Shelf(folder / "answers", kept_s, most, said.append), said


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shelf]:
    found, said = shelf(tmp_path)
    yield found
    found.close()
    assert said == []


def hammer(folder: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HAMMER, str(folder / "answers"), name, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_was_put_is_found_again_by_another_session(one: Shelf, tmp_path: Path) -> None:
    value = {"parts": [{"text": "grüß \U0001f600 \ud800"}], "at": 1.5, "none": None}
    one.put("k", value)
    other, _ = shelf(tmp_path)
    assert other.get("k") == {**value, "schema": 1}
    assert other.get("K") is None
    assert (other.size().answers, other.size().bytes > 0) == (1, True)
    other.close()


def test_it_is_json_on_disk_and_nothing_else(one: Shelf, tmp_path: Path) -> None:
    import zlib

    one.put("small", {"text": "a"})
    one.put("large", {"text": os.urandom(80_000).hex()})
    folder = tmp_path / "answers"
    with sqlite3.connect(folder / "cache.db") as db:
        rows = db.execute("SELECT key, mode, filename, value FROM Cache").fetchall()
        assert db.execute("SELECT COUNT(*) FROM Settings WHERE typeof(value) = 'blob'").fetchone() == (0,)
    db.close()
    assert len(rows) == 2
    for name, mode, filename, value in rows:
        assert mode in (1, 2)  # bytes in the table, or bytes in a file; 4 would be a pickle
        stored = (folder / filename).read_bytes() if filename else value
        assert json.loads(zlib.decompress(name)) in ("small", "large")
        assert "text" in json.loads(zlib.decompress(stored))


def test_a_pickle_that_somebody_put_there_is_not_run(one: Shelf, tmp_path: Path) -> None:
    one.put("k", {"text": "a"})
    evil = b"cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    with sqlite3.connect(tmp_path / "answers" / "cache.db") as db:
        db.execute("UPDATE Cache SET mode = 4, value = ?", (evil,))
    db.close()
    other, _ = shelf(tmp_path)
    assert other.get("k") is None
    other.close()
    assert not (tmp_path / "ran").exists()


def test_files_are_the_owners_alone(one: Shelf, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        one.put("small", {"text": "a"})
        one.put("large", {"text": os.urandom(80_000).hex()})
    finally:
        os.umask(before)
    found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "answers").rglob("*")}
    assert [path.name for path, mode in found.items() if path.is_file() and mode != 0o600] == []


def test_the_folder_is_the_owners_alone(one: Shelf, tmp_path: Path) -> None:
    one.put("small", {"text": "a"})
    assert (tmp_path / "answers").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "answers" / "cache.db").stat().st_mode & 0o777 == 0o600


def test_an_answer_is_good_for_as_long_as_is_said(tmp_path: Path) -> None:
    brief, _ = shelf(tmp_path, kept_s=0.3)
    brief.put("k", {"text": "a"})
    assert brief.get("k") is not None
    time.sleep(0.4)
    assert brief.get("k") is None
    brief.close()


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    small, _ = shelf(tmp_path, most=MB)
    for n in range(60):
        small.put(f"k{n}", {"text": os.urandom(20_000).hex()})
        assert small.get("k0") is not None, n
    assert small.size().bytes < 2 * MB
    assert small.get("k1") is None
    assert small.get("k59") is not None
    small.close()


def test_cleared_is_cleared(one: Shelf) -> None:
    one.put("k", {"text": "a"})
    assert one.clear().answers == 1
    assert one.get("k") is None
    assert one.size().answers == 0
    one.put("k", {"text": "b"})
    assert one.get("k") == {"text": "b", "schema": 1}


# --- many at once ------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(150)
def test_two_processes_lose_nothing_and_mix_nothing(tmp_path: Path) -> None:
    both = [hammer(tmp_path, name, 400) for name in ("a", "b")]
    said = [process.communicate(timeout=140)[0].splitlines() for process in both]
    mixed = [int(lines[-1].split()[1]) for lines in said]
    lost = [int(lines[-1].split()[0]) for lines in said]
    assert [line for lines in said for line in lines if line.startswith("SAID")] == []
    assert (mixed, sum(lost) <= 8) == ([0, 0], True), (lost, "one that waits too long for the other is a miss")
    found, _ = shelf(tmp_path)
    assert found.size().answers == 450
    assert all((found.get(f"{name}-{n}") or {}).get("who") == name for name in "ab" for n in range(200))
    found.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("after", [0.05, 0.2, 0.45])
def test_a_writer_that_is_killed_harms_nothing(tmp_path: Path, after: float) -> None:
    writer = hammer(tmp_path, "a", -1)
    assert writer.stdout
    writer.stdout.readline()
    time.sleep(after)
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=20)
    found, said = shelf(tmp_path)
    found.put("k", {"text": "after"})
    assert found.get("k") == {"text": "after", "schema": 1}
    for n in range(200):
        got: dict[str, Any] | None = found.get(f"a-{n}")
        assert got is None or got["text"] == f"a:{got['n']}:" + "x" * (got["n"] % 3000)
    assert said == []
    found.close()
    with sqlite3.connect(tmp_path / "answers" / "cache.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_database_that_another_holds_is_a_miss(one: Shelf, tmp_path: Path) -> None:
    one.put("k", {"text": "a"})
    holder = sqlite3.connect(tmp_path / "answers" / "cache.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        began = time.monotonic()
        one.put("k", {"text": "b"})
        one.get("k")
        assert time.monotonic() - began < 3
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert one.get("k") == {"text": "a", "schema": 1}


def test_threads_share_one(one: Shelf) -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        for n in range(30):
            one.put(f"{name}{n}", {"text": name})
            if (one.get(f"{name}{n}") or {}).get("text") not in (name, None):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


# --- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_database_is_set_aside_with_a_word(tmp_path: Path, damage: bytes) -> None:
    first, _ = shelf(tmp_path)
    first.put("k", {"text": "a"})
    first.close()
    for path in (tmp_path / "answers").iterdir():
        path.unlink()
    (tmp_path / "answers" / "cache.db").write_bytes(damage)
    found, said = shelf(tmp_path)
    assert found.get("k") is None
    found.put("k", {"text": "b"})
    found.put("k", {"text": "b"})
    assert found.get("k") == {"text": "b", "schema": 1}
    assert len(said) == (1 if damage else 0)
    if damage:
        assert "set aside" in said[0]
        aside = [path for path in tmp_path.iterdir() if "damaged" in path.name]
        assert [(path / "cache.db").read_bytes() for path in aside] == [damage]
    found.close()


def test_a_damaged_answer_is_a_miss_and_the_others_stay(one: Shelf, tmp_path: Path) -> None:
    one.put("k", {"text": "a"})
    with sqlite3.connect(tmp_path / "answers" / "cache.db") as db:
        db.execute("UPDATE Cache SET value = ?", (b"garbage",))
    db.close()
    other, said = shelf(tmp_path)
    assert other.get("k") is None
    other.put("j", {"text": "b"})
    assert other.get("j") == {"text": "b", "schema": 1}
    assert len(said) <= 1
    other.close()


def test_an_answer_of_another_making_is_none(one: Shelf, tmp_path: Path) -> None:
    import diskcache

    one.put("k", {"text": "a"})
    with diskcache.Cache(str(tmp_path / "answers"), disk=diskcache.JSONDisk) as cache:
        cache.set("k", {"text": "a", "schema": 999})
        cache.set("j", ["list"])
    assert (one.get("k"), one.get("j")) == (None, None)


def test_where_nothing_can_be_written_nothing_is_kept_and_the_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file is in the way")
    found, said = shelf(tmp_path)
    for _ in range(3):
        found.put("k", {"text": "a"})
        found.get("k")
    assert 1 <= len(said) <= 2
    found.close()


def test_what_is_cleared_is_gone_for_sessions_that_run(one: Shelf, tmp_path: Path) -> None:
    one.put("k", {"text": "a"})
    other, _ = shelf(tmp_path)
    other.clear()
    assert one.get("k") is None


FULL = """
import resource, sys
from pathlib import Path
from lynkr.answers.shelf import Shelf
said = []
shelf = Shelf(Path(sys.argv[1]) / "answers", 3600, 10**8, said.append)
shelf.put("k", {"text": "a"})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for n in range(50):
    shelf.put(f"k{n}", {"text": "x" * 20 + str(n) * 3000})
print(len(said))
"""


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir() if "damaged" in path.name] == []
    found, _ = shelf(tmp_path)
    assert found.get("k") == {"text": "a", "schema": 1}
    found.close()
