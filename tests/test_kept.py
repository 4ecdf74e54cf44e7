"""Originals on disk: called by their content, for their owner's eyes, not forever, and safe for many sessions."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lynkr.kept import KEPT_S, LARGEST, Kept, Made
from lynkr.transforms.tool_results import content_id

TEXT = "größer \udcff\r\n\ttext\n" * 50
ID = content_id(TEXT)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept")


def test_an_original_comes_back_as_it_was(kept: Kept) -> None:
    kept.put(ID, TEXT)
    kept.put(ID, TEXT)
    assert kept.get(ID) == kept.get(ID[:6]) == TEXT
    assert kept.held().originals == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "*", "ffffffffff", "zz", "a/b"])
def test_what_is_no_id_finds_nothing(kept: Kept, name: str) -> None:
    kept.put(ID, TEXT)
    assert kept.get(name) is None


def test_a_beginning_that_fits_two_finds_neither(kept: Kept) -> None:
    kept.put("ab12", "one")
    kept.put("ab13", "two")
    assert (kept.get("ab1"), kept.get("ab12")) == (None, "one")


def test_only_the_owner_can_read(kept: Kept) -> None:
    kept.put(ID, TEXT)
    kept.note("s1", Made("r1", ID, "`pytest`", (("chatter", 12),), "short"))
    for path in kept.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_session_lists_its_changes_in_their_order_whatever_its_last_line_is(kept: Kept) -> None:
    made = [Made(f"r{n}", ID, "`make`", (("chatter", n), ("paths", 1)), f"[lynkr: {n}]") for n in range(3)]
    for each in made:
        kept.note("s1", each)
    kept.note("s2", made[0])
    with (kept.folder / "sessions" / "s1.jsonl").open("a") as file:
        file.write('["r9", "cut in the mid')
    assert kept.made("s1") == made
    assert kept.made("unknown") == []


def test_what_is_old_goes_and_what_was_sent_again_stays(kept: Kept) -> None:
    now = time.time()
    for text in ("old", "sent again"):
        kept.put(content_id(text), text)
    for path in kept.folder.rglob("*.txt"):
        os.utime(path, (now - KEPT_S - 60, now - KEPT_S - 60))
    kept.put(content_id("sent again"), "sent again")
    again = next(path for path in kept.folder.rglob("*.txt") if path.read_text() == "sent again")
    assert again.stat().st_mtime > now - KEPT_S - 60
    os.utime(again, (now - 60, now - 60))
    kept.prune(now)
    assert kept.get(content_id("old")) is None
    assert kept.get(content_id("sent again")) == "sent again"


def test_what_is_too_much_goes_from_the_oldest_on(kept: Kept) -> None:
    now = 1_800_000_000.0
    for n in range(4):
        kept.put(f"{n}a", "x")
        path = kept.folder / "originals" / f"{n}a" / f"{n}a.txt"
        os.truncate(path, LARGEST // 3)
        os.utime(path, (now - 100 + n, now - 100 + n))
    kept.prune(now)
    assert [kept.get(f"{n}a") is not None for n in range(4)] == [False, True, True, True]


def test_what_cannot_be_removed_stays_and_the_rest_goes_all_the_same(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1a", "2a", "3a"):
        kept.put(name, "x")
    kept.note("s1", Made("r1", "1a", "`make`", (), ""))
    unlink = Path.unlink

    def refusing(path: Path, missing_ok: bool = False) -> None:
        if path.stem == "2a":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refusing)
    kept.prune(time.time() + KEPT_S + 60)
    assert [kept.get(name) is not None for name in ("1a", "2a", "3a")] == [False, True, False]
    assert kept.held().sessions == 0


def test_clearing_says_what_there_was_and_leaves_nothing(kept: Kept) -> None:
    assert kept.clear().originals == 0
    kept.put(ID, TEXT)
    kept.note("s1", Made("r1", ID, "`make`", (), ""))
    was = kept.clear()
    assert (was.originals, was.sessions) == (1, 1)
    assert kept.held() == (0, 0, 0)


def test_many_at_once_neither_mix_nor_fail(kept: Kept) -> None:
    texts = [f"text {n}\n" * 2000 for n in range(8)]
    troubles = list[BaseException]()

    def work() -> None:
        try:
            for _ in range(10):
                for text in texts:
                    kept.put(content_id(text), text)
                    assert kept.get(content_id(text)) == text
                    kept.held()
        except BaseException as trouble:
            troubles.append(trouble)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert kept.held().originals == 8
