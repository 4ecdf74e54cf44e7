"""The ledger: a hundred writers lose nothing, and nothing that happens to it stops a session."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr

from lynkr.ledger.recorder import Recorder
from lynkr.ledger.row import Row, Session, Try
from lynkr.ledger.store import Ledger, LedgerError
from lynkr.usage import Usage

SESSION = Session("01A", "claude", "direct", "/p", "2026-11-21T00:00:00.000Z")
ROW = Row(
    "01B", "2026-11-21T00:00:01.000Z", "POST", "/v1/messages", "anthropic", "complex", "why", "main", "anthropic",
    "m", "asked", 200, "ok", None, (Try("other", 529), Try("third", None)), Usage(1, 2, 3, 4, 5, 6, extras=True),
    True, 0.1, None, 7, 8.5, 9.5,
)  # fmt: skip

WRITER = """
import sys
from pathlib import Path
from lynkr.ledger.recorder import Recorder
from lynkr.ledger.row import Row, Session
name = sys.argv[2]
session = Session(name, "t", "p", "/", "2026-11-21T00:00:00Z")
recorder = Recorder(Path(sys.argv[1]), session)
for n in range(20):
    recorder.put(Row(f"{name}-{n:03}", "2026-11-21T00:00:00Z"))
problem = recorder.close(session, wait_s=60)
sys.exit(str(problem) if problem else 0)
"""


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.save(SESSION, [ROW])
        ledger.save(
            Session(*[getattr(SESSION, f) for f in ("id", "tool", "profile", "project", "started")], 3.5, 0), [ROW]
        )
        assert ledger.rows("01A") == [ROW]
        assert [(s.id, s.seconds, s.exit_status) for s in ledger.sessions(5)] == [("01A", 3.5, 0)]
        assert ledger.find("01") == ledger.find("1A") == ledger.sessions(1)
        assert ledger.find("zz") == []


def test_what_a_profile_has_spent_since_then_is_added_up_over_other_sessions(tmp_path: Path) -> None:
    day = "2026-11-21T00:00:00"
    with Ledger(tmp_path / "l.db") as ledger:
        for name, profile, at, usd in [
            ("S1", "work", "2026-11-21T08:00:00.000Z", 0.25),
            ("S2", "work", "2026-11-21T09:00:00.000Z", 0.5),
            ("S3", "work", "2026-11-21T10:00:00.000Z", None),
            ("S4", "work", "2026-11-20T23:59:59.000Z", 4.0),
            ("S5", "other", "2026-11-21T08:00:00.000Z", 8.0),
            ("OWN", "work", "2026-11-21T08:00:00.000Z", 16.0),
        ]:
            ledger.save(replace(SESSION, id=name, profile=profile), [replace(ROW, id=name, at=at, cost_usd=usd)])
        assert ledger.spent("work", day, "OWN") == 0.75
        assert ledger.spent("nobody", day, "OWN") == 0.0


def test_a_hundred_sessions_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"S{number:03}"], stderr=subprocess.PIPE)
        for number in range(100)
    ]
    failed = [error for writer in writers if (error := writer.communicate()[1]) or writer.returncode]
    assert failed == []
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*), count(DISTINCT session) FROM requests").fetchone() == (2000, 100)
    db.close()


def test_a_newer_ledger_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    Ledger(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerError, match="newer lynkr"):
        Ledger(path)


def test_rows_are_in_the_file_while_the_session_runs(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    recorder = Recorder(path, SESSION)
    recorder.put(ROW)
    written = threading.Event()

    def look() -> None:
        while not written.is_set():
            if path.exists():
                with Ledger(path) as ledger:
                    if ledger.rows("01A"):
                        written.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    assert written.wait(10)
    thread.join()
    assert recorder.close(SESSION) is None


def kept(home: Path) -> list[Path]:
    return sorted((home / "lynkr" / "data").glob("unsaved-*.json"))


def test_a_damaged_ledger_keeps_the_report_beside_it_and_takes_it_in_later(clean_machine: Path) -> None:
    path = clean_machine / "lynkr" / "data" / "ledger.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 1000)
    ran = lynkr("run", "--", "sh", "-c", "exit 4", home=clean_machine)
    assert ran.status == 4
    assert "damaged" in ran.err
    assert path.read_bytes() == b"this is no database" * 1000
    (file,) = kept(clean_machine)
    assert str(file) in ran.err
    report = json.loads(file.read_text())
    assert report["session"]["exit_status"] == 4
    assert lynkr("report", home=clean_machine).status == 1

    path.rename(path.with_name("damaged.db"))
    again = lynkr("run", "--", "true", home=clean_machine)
    assert "can be written again" in again.err
    assert kept(clean_machine) == []
    assert ran.report(report["session"]["id"]) == report


def test_a_locked_ledger_does_not_hold_the_session_up(clean_machine: Path) -> None:
    path = clean_machine / "lynkr" / "data" / "ledger.db"
    Ledger(path).close()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    ran = lynkr("run", "--", "true", home=clean_machine, timeout=40)
    lock.execute("ROLLBACK")
    lock.close()
    assert ran.status == 0
    assert "locked" in ran.err or "did not take" in ran.err
    assert len(kept(clean_machine)) == 1
    assert lynkr("run", "--", "true", home=clean_machine).status == 0
    assert kept(clean_machine) == []


def test_a_place_that_cannot_be_written_to_does_not_stop_a_session(clean_machine: Path) -> None:
    (clean_machine / "lynkr").write_text("a file where the folder should be")
    ran = lynkr("run", "--report", str(clean_machine / "r.json"), "--", "sh", "-c", "exit 6", home=clean_machine)
    assert ran.status == 6
    assert "is kept in" in ran.err
    assert json.loads((clean_machine / "r.json").read_text())["session"]["exit_status"] == 6
    Path(ran.err.partition("is kept in ")[2].splitlines()[0]).unlink()


def test_names_that_are_no_text_are_stored_all_the_same(tmp_path: Path) -> None:
    odd = replace(ROW, model="x\ud800", asked_model="\udcff")
    recorder = Recorder(tmp_path / "l.db", replace(SESSION, project="/p\udcff"))
    recorder.put(odd)
    assert recorder.close(SESSION) is None
    with Ledger(tmp_path / "l.db") as ledger:
        assert [row.model for row in ledger.rows("01A")] == ["x?"]


def test_a_fault_while_writing_is_told(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "l.db", SESSION)
    recorder.put(replace(ROW, ms=object()))  # type: ignore[arg-type]
    assert "cannot be" in str(recorder.close(SESSION))


def test_one_report_that_cannot_be_read_does_not_keep_the_others_out(clean_machine: Path) -> None:
    first = lynkr("run", "--report", "r.json", "-q", "--", "true", home=clean_machine)
    data = clean_machine / "lynkr" / "data"
    report = json.loads((clean_machine / "r.json").read_text())
    report["session"]["id"] = "01ZZZZZZZZZZZZZZZZZZZZZZZZ"
    (data / "unsaved-a.json").write_text("{broken")
    (data / "unsaved-b.json").write_text(json.dumps(report))
    ran = lynkr("run", "-q", "--", "true", home=clean_machine)
    assert "unsaved-a.json cannot be taken" in ran.err
    assert [path.name for path in kept(clean_machine)] == ["unsaved-a.json"]
    assert first.report("01ZZZZZZZZZZZZZZZZZZZZZZZZ")["session"] == report["session"]


def test_ctrl_c_after_the_childs_end_costs_neither_the_report_nor_the_status(clean_machine: Path) -> None:
    path = clean_machine / "lynkr" / "data" / "ledger.db"
    Ledger(path).close()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    session = subprocess.Popen(
        command_line("run", "--", "sh", "-c", "echo ready; exit 3"),
        env=environment(clean_machine), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert session.stdout
    session.stdout.readline()
    time.sleep(1)
    session.send_signal(signal.SIGINT)
    _, said = session.communicate(timeout=5)
    lock.execute("ROLLBACK")
    lock.close()
    assert session.returncode == 3
    assert "is kept in" in said
    assert len(kept(clean_machine)) == 1


def test_a_session_that_is_killed_has_its_line(clean_machine: Path) -> None:
    session = subprocess.Popen(
        command_line("run", "--", "sh", "-c", "echo ready; sleep 30"),
        env=environment(clean_machine), stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert session.stdout
    session.stdout.readline()
    path = clean_machine / "lynkr" / "data" / "ledger.db"
    for _ in range(200):
        if path.exists():
            with Ledger(path) as ledger:
                if ledger.sessions(1):
                    break
        time.sleep(0.02)
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    session.stdout.close()
    with Ledger(path) as ledger:
        (line,) = ledger.sessions(5)
    assert line.exit_status is None
    assert (
        "killed" in lynkr("report", home=clean_machine).out or "No request" in lynkr("report", home=clean_machine).out
    )
