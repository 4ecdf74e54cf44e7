"""`lynkr serve` as its operator meets it: start, token, status, reload, drain, end, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile
from proxied import connect, read
from scripts import Upstream, anthropic, upstream
from scripts import whole as refused
from standing import KEY, LANE, WHOLE, Serve, Slow, noted, serving, start, streams, until, whole

READY = "/health/ready"
LIVE = "/health/live"


@pytest.fixture
def stood(clean_machine: Path, up: Upstream) -> Iterator[Serve]:
    with serving(clean_machine, "-p", "work", "--notice", "0") as found:
        yield found


# --- Its start --------------------------------------------------------------------------------------------------------


def test_what_it_prints_opens_it(stood: Serve) -> None:
    url = next(line.split()[1] for line in stood.out.splitlines() if line.startswith("URL"))
    assert url == f"http://127.0.0.1:{stood.port}/{stood.token}"
    assert stood.lynkr("serve", "token").out.strip() == stood.token
    assert stood.ask().status == 200


def test_quietly_it_prints_no_token(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work", "-q") as stood:
        stood.ask()
        stood.signal(signal.SIGINT)
        assert stood.ended() == 0
        assert stood.out == ""
        assert stood.token not in stood.err


def test_a_taken_port_is_78_and_says_who_has_it(stood: Serve, up: Upstream) -> None:
    ours = stood.lynkr("serve", "-p", "work", "--port", str(stood.port))
    assert ours.status == 78
    assert f"(process {stood.process.pid})" in ours.err
    theirs = stood.lynkr("serve", "-p", "work", "--port", str(up.port))
    assert theirs.status == 78
    assert f"127.0.0.1:{up.port}" in theirs.err
    assert stood.ask().status == 200


BAD = {
    "there is no profile": ("nope", ""),
    "broken.toml:2: lanes.x.provder": ("broken", '[lanes.x]\nprovder = "anthropic"\n'),
    "GROQ_API_KEY": ("keyless", '[lanes.x]\nprovider = "groq"\nmodel = "m"\n'),
}


@pytest.mark.parametrize("says", BAD)
def test_a_bad_profile_is_78_and_nothing_stands(clean_machine: Path, says: str) -> None:
    name, text = BAD[says]
    if text:
        profile(clean_machine, name, text)
    ran = lynkr("serve", "--port", "0", "-p", name, home=clean_machine)
    assert (ran.status, ran.out) == (78, "")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    assert lynkr("serve", "status", home=clean_machine).status == 1


def test_a_host_that_others_reach_wants_a_name(clean_machine: Path) -> None:
    ran = lynkr("serve", "--port", "0", "--host", "0.0.0.0", home=clean_machine)
    assert ran.status == 2
    assert "--allow-host" in ran.err


def test_what_it_prints_opens_it_at_another_address(clean_machine: Path, up: Upstream) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    process = start(clean_machine, "-p", "work", "--host", "::1")
    try:
        said = until(lambda: "URL" in (clean_machine / "serve.out").read_text() or process.poll() is not None)
        assert said
        url = (clean_machine / "serve.out").read_text().split()[1]
        assert url.startswith("http://[::1]:")
        assert lynkr("serve", "status", home=clean_machine).status == 0
    finally:
        process.kill()
        process.wait()


# --- Its token --------------------------------------------------------------------------------------------------------


def test_a_new_token_is_for_the_next_one(stood: Serve) -> None:
    new = stood.lynkr("serve", "token", "--new").out.strip()
    assert new not in ("", stood.token)
    assert stood.ask().status == 200
    assert stood.ask(token=new).status == 401
    with serving(stood.home, "-p", "work") as later:
        assert later.ask(token=new).status == 200
        assert later.ask(token=stood.token).status == 401


def test_it_is_ready_also_with_the_token_that_it_began_with(stood: Serve) -> None:
    stood.lynkr("serve", "token", "--new")
    assert stood.lynkr("serve", "status").status == 0


def test_a_token_may_come_from_the_environment(clean_machine: Path, up: Upstream) -> None:
    token = "fromOutside0123456789"
    with serving(clean_machine, "-p", "work", token=token) as stood:
        assert stood.ask().status == 200
        assert not (stood.where.stands / "token").exists()
        assert stood.lynkr("serve", "status", LYNKR_SERVE_TOKEN=token).status == 0
    assert lynkr("serve", "token", "--new", home=clean_machine, LYNKR_SERVE_TOKEN=token).status == 2


@pytest.mark.parametrize("token", ["short", "with-dashes-0123456789", "sp ace0123456789012345", "é" * 20])
def test_a_token_that_is_none_is_78(clean_machine: Path, up: Upstream, token: str) -> None:
    ran = lynkr("serve", "--port", "0", "-p", "work", home=clean_machine, LYNKR_SERVE_TOKEN=token)
    assert ran.status == 78
    assert token not in ran.err


# --- Its status -------------------------------------------------------------------------------------------------------


def test_status_says_what_stands(stood: Serve) -> None:
    said = json.loads(stood.lynkr("serve", "status", "--json").out)
    assert len(said) == 1
    assert said[0] | {"since": ""} == {
        "pid": stood.process.pid, "host": "127.0.0.1", "port": stood.port, "profiles": ["work"], "since": "",
        "reloads": 0, "problem": "", "ready": True,
    }  # fmt: skip
    ran = stood.lynkr("serve", "status")
    assert ran.status == 0
    assert f"127.0.0.1:{stood.port}" in ran.out
    stood.signal(signal.SIGINT)
    stood.ended()
    ran = stood.lynkr("serve", "status", "--json")
    assert (ran.status, json.loads(ran.out)) == (1, [])
    assert stood.lynkr("serve", "reload").status == 1


def test_where_several_stand_a_port_has_to_be_said(stood: Serve) -> None:
    with serving(stood.home, "-p", "work", "--notice", "0") as other:
        assert stood.lynkr("serve", "reload").status == 2
        assert stood.lynkr("serve", "stop", "--port", str(other.port)).status == 0
        assert other.ended() == 0
        assert stood.lynkr("serve", "reload").status == 0


def test_a_stranger_with_the_number_of_one_that_was_killed_is_left_alone(stood: Serve) -> None:
    note = stood.where.stands / f"{stood.port}.json"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": stranger.pid}))
        subprocess.run(command_line("serve", "reload"), env=environment(stood.home), timeout=60, check=False)
        spared = stranger.poll() is None
        stranger.kill()
    assert spared


def test_a_kill_loses_no_row_and_its_note_goes_with_the_next_status(stood: Serve, slow: Slow) -> None:
    ids = [stood.ask().header("x-lynkr-request") for _ in range(20)]
    for identity in ids:
        stood.row(identity)
    note = stood.where.stands / f"{stood.port}.json"
    with streams(stood, slow, 2) as answers:
        stood.process.kill()
        stood.ended()
    assert not any(map(whole, answers))
    assert note.exists()
    assert stood.lynkr("serve", "status").status == 1
    assert not note.exists()
    assert [row.id for _, row in stood.rows()] == sorted(map(str, ids))
    report = stood.lynkr("report", "--by", "lane", "--json")
    assert report.status == 0
    assert '"requests": 20' in report.out
    with serving(stood.home, "-p", "work") as again:
        again.row(again.ask().header("x-lynkr-request"))
        assert len(again.rows()) == 21


# --- Reload -----------------------------------------------------------------------------------------------------------


def test_a_reload_drops_nothing_and_new_requests_go_the_new_way(stood: Serve, slow: Slow) -> None:
    with upstream(anthropic("New.")) as new:
        with streams(stood, slow, 20) as answers:
            profile(stood.home, "work", LANE.format(name="fresh", url=new.url))
            ran = stood.lynkr("serve", "reload")
            assert (ran.status, ran.out) == (0, "reloaded: work\n")
            assert stood.ask().header("x-lynkr-lane") == "fresh"
            assert len(new.asked) == 1
        assert [whole(answer) for answer in answers] == [True] * 20
        assert {answer.header("x-lynkr-lane") for answer in answers} == {"main"}
    for answer in answers:
        stood.row(answer.header("x-lynkr-request"))
    assert sorted(row.lane or "" for _, row in stood.rows()) == ["fresh"] + ["main"] * 20


def test_a_reload_closes_the_connections_of_the_old_lane_when_its_last_request_is_over(stood: Serve) -> None:
    stood.ask()
    files = Path(f"/proc/{stood.process.pid}/fd")
    before = len(list(files.iterdir()))
    for _ in range(5):
        stood.lynkr("serve", "reload")
        stood.ask()
    assert until(lambda: len(list(files.iterdir())) <= before + 1)


def test_a_broken_profile_changes_nothing_and_is_told(stood: Serve, up: Upstream) -> None:
    profile(stood.home, "work", "[lanes.main]\nprovder = 1\n")
    ran = stood.lynkr("serve", "reload")
    assert ran.status == 78
    assert "all goes on as before" in ran.err
    assert "work.toml:2: lanes.main.provder" in ran.err
    assert stood.ask().header("x-lynkr-lane") == "main"
    assert "the last reload failed" in stood.lynkr("serve", "status").out
    profile(stood.home, "work", LANE.format(name="mended", url=up.url))
    assert stood.lynkr("serve", "reload").status == 0
    assert stood.ask().header("x-lynkr-lane") == "mended"
    assert "failed" not in stood.lynkr("serve", "status").out


def test_a_hangup_reloads_as_well(stood: Serve, up: Upstream) -> None:
    profile(stood.home, "work", LANE.format(name="fresh", url=up.url))
    stood.signal(signal.SIGHUP)
    assert until(lambda: stood.ask().header("x-lynkr-lane") == "fresh")


def test_a_reload_that_cannot_be_noted_is_one_all_the_same(stood: Serve, up: Upstream) -> None:
    """As on a full disk."""
    shutil.rmtree(stood.where.stands)
    stood.where.stands.write_text("in its way")
    profile(stood.home, "work", LANE.format(name="fresh", url=up.url))
    stood.signal(signal.SIGHUP)
    assert until(lambda: stood.ask().header("x-lynkr-lane") == "fresh")
    assert stood.shows(LIVE) == 200


def test_a_hangup_as_soon_as_it_has_said_where_it_is_does_not_end_it(clean_machine: Path, up: Upstream) -> None:
    process = start(clean_machine, "-p", "work")
    try:
        until(lambda: "URL" in (clean_machine / "serve.out").read_text())
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("by", ["a reload", "a lane that is in trouble"])
def test_where_nobody_reads_what_it_says_it_goes_on_all_the_same(clean_machine: Path, by: str) -> None:
    """Whoever read its stderr has gone, as `lynkr serve 2>&1 | head` does."""
    ours, theirs = os.pipe()
    error = {"type": "error", "error": {"type": "authentication_error", "message": "No."}}
    with upstream(lambda _: refused(error, 401)) as up:
        profile(clean_machine, "work", LANE.format(name="main", url=up.url))
        process = subprocess.Popen(
            command_line("serve", "--port", "0", "-p", "work", "-q"),
            env=environment(clean_machine, ANTHROPIC_API_KEY=KEY),
            stderr=theirs,
            start_new_session=True,
        )
        try:
            os.close(theirs)
            stood = until(lambda: noted(process, clean_machine), 30)
            os.close(ours)
            until(lambda: stood.shows(LIVE) == 200)
            assert stood.ask().status == 403
            if by == "a reload":
                stood.signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(5)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("reloaded", [
    False, True,
])  # fmt: skip
def test_a_budget_counts_from_the_start_of_the_proxy(clean_machine: Path, up: Upstream, reloaded: bool) -> None:
    profile(clean_machine, "tight", LANE.format(name="main", url=up.url) + "[budget]\nsession_usd = 0.0002\n")
    with serving(clean_machine, "-p", "tight") as stood:
        assert [stood.ask().status for _ in range(3)] == [200, 200, 400]
        if reloaded:
            assert stood.lynkr("serve", "reload").status == 0
        answer = stood.ask()
        assert answer.status == 400
        assert b"budget" in answer.body


# --- Its end ----------------------------------------------------------------------------------------------------------


def test_it_says_that_it_leaves_before_it_lets_nobody_in(clean_machine: Path, up: Upstream, slow: Slow) -> None:
    with serving(clean_machine, "-p", "work", "--notice", "2") as stood:
        with streams(stood, slow, 3) as answers:
            stood.signal(signal.SIGTERM)
            until(lambda: stood.shows(READY) == 503, 1.5)
            assert stood.shows(LIVE) == 200
            assert stood.ask().status == 200
            assert json.loads(stood.get(READY).body)["reason"] == "draining"
            until(lambda: stood.shows(LIVE) is None, 5)
            assert stood.process.poll() is None
        assert all(map(whole, answers))
        assert stood.ended() == 0
    assert len(stood.rows()) == 4
    assert {row.outcome for _, row in stood.rows()} == {"ok"}


def test_a_profiles_own_address_says_that_it_leaves_too(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work", "--notice", "3") as stood:
        stood.signal(signal.SIGTERM)
        until(lambda: stood.shows(READY) == 503, 2)
        assert stood.shows(f"/p/work{READY}") == 503


def test_stop_waits_until_what_is_under_way_has_been_served(stood: Serve, slow: Slow) -> None:
    with streams(stood, slow, 2) as answers:
        stopping = subprocess.Popen(command_line("serve", "stop"), env=environment(stood.home), stdout=subprocess.PIPE)
        until(lambda: stood.shows(LIVE) is None)
        assert stopping.poll() is None
    out, _ = stopping.communicate(timeout=20)
    assert (stopping.returncode, out) == (0, b"ended\n")
    assert all(map(whole, answers))
    assert stood.ended() == 0


@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)]
)
def test_a_second_signal_cuts(stood: Serve, slow: Slow, numbers: tuple[signal.Signals, signal.Signals]) -> None:
    with streams(stood, slow, 3) as answers:
        stood.signal(numbers[0])
        until(lambda: stood.shows(LIVE) is None)
        assert stood.process.poll() is None
        stood.signal(numbers[1])
        assert stood.ended(5) == 0
    assert [(answer.status, answer.ended) for answer in answers] == [(200, False)] * 3
    assert [row.outcome for _, row in stood.rows()] == ["gone"] * 3


def test_a_drain_has_a_limit(clean_machine: Path, up: Upstream, slow: Slow) -> None:
    with serving(clean_machine, "-p", "work", "--notice", "0", "--drain", "1") as stood:
        with streams(stood, slow, 2) as answers:
            began = time.monotonic()
            stood.signal(signal.SIGTERM)
            assert stood.ended(10) == 0
            assert 0.9 < time.monotonic() - began < 6
        assert not any(map(whole, answers))
        assert "2 requests are cut" in stood.err


@pytest.mark.parametrize("kept", [False, True])
def test_with_nothing_under_way_ctrl_c_ends_it_at_once(stood: Serve, kept: bool) -> None:
    with connect(stood.port) as connection:
        if kept:
            body = f"POST /{stood.token}/v1/messages HTTP/1.1\r\nHost: localhost:{stood.port}\r\nContent-Length: {len(WHOLE)}"
            connection.sendall(f"{body}\r\n\r\n".encode() + WHOLE)
            assert read(connection).status == 200
        else:
            connection.close()
        began = time.monotonic()
        stood.signal(signal.SIGINT)
        assert stood.ended() == 0
        assert time.monotonic() - began < 1.5
