"""Everything lynkr keeps is under LYNKR_HOME where that is set, and where the platform keeps such things otherwise."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import platformdirs
import pytest

from lynkr.paths import Paths, paths, private_folder, replace_private, shipped, write_private


@pytest.fixture(params=[0o022, 0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> int:
    before = os.umask(request.param)
    request.addfinalizer(lambda: os.umask(before))
    return int(request.param)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lynkr_home_holds_all_four_folders(tmp_path: Path) -> None:
    found = paths({"LYNKR_HOME": str(tmp_path)})
    assert found == Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache", tmp_path / "state")


def test_what_is_kept_has_its_place(tmp_path: Path) -> None:
    found = paths({"LYNKR_HOME": str(tmp_path)})
    assert found.profiles == tmp_path / "config" / "profiles"
    assert found.ledger == tmp_path / "data" / "ledger.db"
    assert found.unsaved == tmp_path / "data"
    assert found.sessions == tmp_path / "state" / "sessions"


def test_a_tilde_is_the_users_home(clean_machine: Path) -> None:
    assert paths({"LYNKR_HOME": "~/kept"}).data == clean_machine / "kept" / "data"


@pytest.mark.parametrize("environ", [{}, {"LYNKR_HOME": ""}])
def test_without_lynkr_home_the_platform_decides(environ: dict[str, str]) -> None:
    found, platform = paths(environ), platformdirs.PlatformDirs("lynkr", appauthor=False)
    assert found == Paths(
        platform.user_config_path, platform.user_data_path, platform.user_cache_path, platform.user_state_path
    )


def test_asking_where_things_are_makes_none_of_them(tmp_path: Path) -> None:
    assert not paths({"LYNKR_HOME": str(tmp_path)}).ledger.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_shipped_is_found_from_a_checkout() -> None:
    assert (shipped("profiles") / "direct.toml").is_file()


def test_a_private_folder_is_its_owners_only(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "a" / "b"
    assert private_folder(folder) == folder
    assert mode(folder) == 0o700


def test_a_private_folder_may_be_there_already(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a")
    (folder / "kept").write_text("x")
    assert private_folder(folder) == folder
    assert (folder / "kept").read_text() == "x"


def test_a_private_file_is_its_owners_only_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "secret"
    write_private(path, "schlüssel\n")
    assert mode(path) == 0o600
    assert path.read_bytes() == "schlüssel\n".encode()


def test_a_private_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "a long text")
    write_private(path, "short")
    assert path.read_text() == "short"


def test_whoever_reads_a_file_while_it_is_replaced_gets_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "notes"
    texts = {letter * 100_000 for letter in "ab"}
    replace_private(path, "a" * 100_000)
    seen, over = set[str](), threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(40):
        for text in sorted(texts):
            replace_private(path, text)
    over.set()
    reader.join()
    assert seen
    assert seen <= texts
    assert (path.read_text(), mode(path), list(path.parent.iterdir())) == ("b" * 100_000, 0o600, [path])


def full(path: Path, text: str, errors: str = "strict") -> None:
    """As a full disk has it: the file is there, and half of the text."""
    path.write_text(text[: len(text) // 2])
    raise OSError(28, "No space left on device", str(path))


def refused(path: Path, target: Path) -> None:
    raise PermissionError(13, "Permission denied", str(target))


@pytest.mark.parametrize(
    ("what", "instead"), [("lynkr.paths.write_private", full), ("lynkr.paths.Path.replace", refused)]
)
def test_a_file_that_cannot_be_replaced_stands_and_nothing_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, instead: object
) -> None:
    path = tmp_path / "notes"
    replace_private(path, "old")
    monkeypatch.setattr(what, instead)
    with pytest.raises(OSError, match=r"No space|denied"):
        replace_private(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_a_text_that_has_no_bytes_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    replace_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_private(path, "new \ud800")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
