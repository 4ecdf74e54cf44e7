"""The first interview, answered at a terminal as a new user would: rightly, wrongly, and not to the end."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest
from conftest import environment, lynkr, profile
from ports import at_port
from scripts import Asked, Step, anthropic, chat, upstream, whole
from secretservice import secret_service

KEY = "sk-none-of-your-business-0123456789"
PHRASE = "correct horse battery"
ASKS_WHICH, ASKS_NAME, ASKS_MODEL, ASKS_KEY = (
    r"number \[\d+\]: ",
    r"called\? \[mine\]: ",
    r"model( \[.*\])?: ",
    "not shown",
)


@dataclass
class Interview:
    """`lynkr init` at a terminal. `seen` is everything that stood there."""

    child: pexpect.spawn[str]
    seen: str = ""

    def answer(self, question: str, text: str = "") -> None:
        self.expect(question)
        self.child.sendline(text)

    def expect(self, what: str) -> None:
        self.child.expect(what, timeout=20)
        self.seen += (self.child.before or "") + str(self.child.after)

    def end(self) -> int | None:
        """Its exit status."""
        self.child.expect(pexpect.EOF, timeout=20)
        self.seen += self.child.before or ""
        self.child.close()
        return self.child.exitstatus

    def leave(self, question: str) -> int | None:
        """Presses Ctrl-C at a question, again where nothing happens; the exit status."""
        self.expect(question)
        self.child.sendintr()
        # Where it comes in the moment before Python reads, that hears of it with the next key only.
        while self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5) and not self.child.terminated:
            self.child.sendintr()
        return self.end()


@contextlib.contextmanager
def interview(home: Path, **env: str) -> Iterator[Interview]:
    whole = environment(home, **{"PATH": "/usr/bin:/bin", "TERM": "dumb", **env})
    child = pexpect.spawn(sys.executable, ["-m", "lynkr", "init"], env=whole, cwd=str(home), encoding="utf-8",
                          dimensions=(60, 200))  # fmt: skip
    try:
        yield Interview(child)
    finally:
        child.close(force=True)


def number_of(seen: str, words: str) -> str:
    """The number in front of an offer."""
    found = re.search(rf"(\d+)  [^\n]*{re.escape(words)}", seen)
    assert found, seen
    return found[1]


def used(home: Path) -> dict[str, Any]:
    """The profile that is used now, as TOML reads it."""
    told = {row["name"]: row for row in json.loads(lynkr("profile", "list", "--json", home=home).out)}
    name = next(name for name, row in told.items() if row["used"])
    return {"name": name, **tomllib.loads(Path(told[name]["path"]).read_text())}


def left(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def till_the_name(asked: Interview, url: str, key: str = KEY) -> None:
    """A server that takes a key, up to the last question but one."""
    asked.answer(ASKS_WHICH, "custom")
    asked.answer("its address", url)
    asked.answer(ASKS_WHICH, "anthropic")
    asked.answer("ask for a key", "y")
    asked.answer(ASKS_KEY, key)
    asked.answer(ASKS_MODEL, "claude-haiku-5-5")


def test_with_the_tools_own_login_two_enters_are_enough(clean_machine: Path) -> None:
    tools = clean_machine / "tools"
    tools.mkdir()
    (tools / "codex").write_text("#!/bin/sh\n")
    (tools / "codex").chmod(0o755)
    with interview(clean_machine, PATH=f"{tools}:/usr/bin:/bin") as asked:
        asked.answer(ASKS_WHICH)
        asked.answer(ASKS_NAME)
        assert asked.end() == 0
    assert "found: codex" in asked.seen
    assert "Start with: lynkr run codex" in asked.seen
    found = used(clean_machine)
    assert found["name"] == "mine"
    assert {lane["auth"] for lane in found["lanes"].values()} == {"client"}
    assert lynkr("profile", "check", "mine", home=clean_machine).status == 0
    assert lynkr("run", "-q", "--", "true", home=clean_machine).status == 0


def test_a_server_on_this_machine_is_found_tried_and_used(clean_machine: Path) -> None:
    def script(asked: Asked) -> list[Step]:
        if asked.path == "/api/tags":
            return whole({"models": [{"name": "tiny:1b"}, {"name": "big:70b"}]})
        counts = {"prompt_eval_count": 3, "eval_count": 1}
        said = {"message": {"role": "assistant", "content": "Hello"}, "done": True, "done_reason": "stop", **counts}
        return whole({"model": "big:70b", **said})

    with upstream(script) as up, interview(clean_machine, OLLAMA_HOST=f"127.0.0.1:{up.port}") as asked:
        asked.expect(ASKS_WHICH)
        assert "tiny:1b, big:70b" in asked.seen
        asked.child.sendline(number_of(asked.seen, "ollama on this machine"))
        asked.answer(r"model \[tiny:1b\]: ", "big:70b")
        asked.answer(ASKS_NAME, "home.lab")
        asked.answer("try it", "y")
        assert asked.end() == 0
    assert "it serves" in asked.seen
    assert [json.loads(post.body)["model"] for post in up.posts("/api/chat")] == ["big:70b"]
    expected = {"provider": "ollama", "model": "big:70b", "base_url": up.url}
    assert (used(clean_machine)["name"], used(clean_machine)["lanes"]) == ("home.lab", {"main": expected})


def test_a_llama_cpp_server_at_its_port_is_found_and_used(clean_machine: Path) -> None:
    def script(asked: Asked) -> list[Step]:
        if asked.method == "GET":
            return whole({"object": "list", "data": [{"id": "tiny.gguf", "owned_by": "llamacpp"}]})
        return list(chat()(asked))

    with at_port(8080, script) as up, interview(clean_machine) as asked:
        asked.expect(ASKS_WHICH)
        asked.child.sendline(number_of(asked.seen, "llamacpp on this machine"))
        asked.answer(r"model \[tiny.gguf\]: ")
        asked.answer(ASKS_NAME)
        asked.answer("try it", "n")
        assert asked.end() == 0
        assert up.posts() == []
        tried = lynkr("key", "test", "llamacpp", "--json", home=clean_machine)
    assert used(clean_machine)["lanes"] == {"main": {"provider": "llamacpp", "model": "tiny.gguf"}}
    assert (tried.status, len(up.posts())) == (0, 1)


def test_a_key_goes_into_the_encrypted_file_and_serves(clean_machine: Path) -> None:
    with upstream(anthropic()) as up, interview(clean_machine) as asked:
        till_the_name(asked, up.url)
        asked.answer(ASKS_NAME)
        asked.answer("encrypted with a passphrase", "y")
        asked.answer("new passphrase", PHRASE)
        asked.answer("once more", PHRASE)
        asked.answer("try it", "y")
        assert asked.end() == 0
    assert "it serves" in asked.seen
    assert up.posts()[0].header("x-api-key") == KEY
    assert KEY not in asked.seen
    assert PHRASE not in asked.seen
    assert not [name for name in left(clean_machine) if KEY.encode() in (clean_machine / name).read_bytes()]
    ran = lynkr("run", "--dry-run", "--", "true", home=clean_machine, LYNKR_PASSPHRASE=PHRASE)
    assert (ran.status, "keys.enc" in ran.out) == (0, True)


def test_a_key_goes_into_the_keyring_where_there_is_one(clean_machine: Path) -> None:
    with secret_service() as service, upstream(anthropic()) as up:
        env = {name: value for name, value in service.environ.items() if name != "HOME"}
        with interview(clean_machine, **env) as asked:
            till_the_name(asked, up.url)
            asked.answer(ASKS_NAME)
            asked.answer("try it", "y")
            assert asked.end() == 0
        listed = json.loads(lynkr("key", "list", "--json", home=clean_machine, **env).out)
    assert up.posts()[0].header("x-api-key") == KEY
    assert [(row["name"], row["found"]) for row in listed] == [("custom", "the keyring")]


def test_a_key_in_the_environment_is_taken_and_not_asked_for(clean_machine: Path) -> None:
    with interview(clean_machine, ANTHROPIC_API_KEY=KEY) as asked:
        asked.answer(ASKS_WHICH, "anthropic")
        asked.answer(ASKS_MODEL)
        asked.answer(ASKS_NAME)
        asked.answer("try it", "n")
        assert asked.end() == 0
    assert "ANTHROPIC_API_KEY will be used" in asked.seen
    assert KEY not in asked.seen
    assert left(clean_machine) == ["lynkr/config/profile", "lynkr/config/profiles/mine.toml"]


def test_the_profile_stays_where_the_lane_does_not_serve_yet(clean_machine: Path) -> None:
    with interview(clean_machine, ANTHROPIC_API_KEY=KEY) as asked:
        asked.answer(ASKS_WHICH, "custom")
        asked.answer("its address", "http://127.0.0.1:9/v1")
        asked.answer(ASKS_WHICH)
        asked.answer("ask for a key")
        asked.answer(ASKS_MODEL, "m")
        asked.answer(ASKS_NAME)
        asked.answer("try it")
        assert asked.end() == 0
    assert "nothing listens at 127.0.0.1:9" in asked.seen
    assert used(clean_machine)["name"] == "mine"


def test_bad_answers_are_asked_again(clean_machine: Path) -> None:
    profile(clean_machine, "mine", '[lanes.a]\nprovider = "anthropic"\n')
    before = left(clean_machine)
    with interview(clean_machine) as asked:
        for wrong in ("0", "99", "nonsense", "-1"):
            asked.answer(ASKS_WHICH, wrong)
            asked.expect("is not on the list")
        asked.answer(ASKS_WHICH, "custom")
        for wrong in ("nonsense", "ftp://x", "http://"):
            asked.answer("its address", wrong)
            asked.expect("no base URL")
        asked.answer("its address", "http://127.0.0.1:9/v1")
        asked.answer(ASKS_WHICH, "smoke-signals")
        asked.expect("is not on the list")
        asked.answer(ASKS_WHICH, "openai-chat")
        asked.answer("ask for a key", "perhaps")
        asked.answer("ask for a key", "n")
        asked.answer(ASKS_MODEL, "m")
        asked.answer(ASKS_NAME, "a b")
        asked.expect("cannot be a profile's name")
        asked.answer(ASKS_NAME, "../x")
        asked.expect("cannot be a profile's name")
        asked.answer(ASKS_NAME, "mine")
        asked.expect("already")
        assert left(clean_machine) == before
        asked.answer(ASKS_NAME, "other")
        asked.answer("try it", "n")
        assert asked.end() == 0
    assert used(clean_machine)["name"] == "other"


def test_a_key_that_is_none_is_asked_for_again(clean_machine: Path) -> None:
    with interview(clean_machine) as asked:
        asked.answer(ASKS_WHICH, "anthropic")
        asked.answer(ASKS_KEY, "not a key")
        asked.answer(ASKS_KEY, "   ")
        asked.answer(ASKS_KEY, KEY)
        asked.expect(ASKS_MODEL)


def test_passphrases_that_differ_are_asked_for_again(clean_machine: Path) -> None:
    with interview(clean_machine) as asked:
        till_the_name(asked, "http://127.0.0.1:9")
        asked.answer(ASKS_NAME)
        asked.answer("encrypted with a passphrase", "y")
        asked.answer("new passphrase", PHRASE)
        asked.answer("once more", "something else")
        asked.answer("try again", "y")
        asked.answer("new passphrase", PHRASE)
        asked.answer("once more", PHRASE)
        asked.answer("try it", "n")
        assert asked.end() == 0
    assert lynkr("run", "--dry-run", "--", "true", home=clean_machine, LYNKR_PASSPHRASE=PHRASE).status == 0


@pytest.mark.parametrize("at", ["which", "key", "model", "name", "file", "passphrase", "again"])
def test_ctrl_c_leaves_nothing_behind(clean_machine: Path, at: str) -> None:
    steps = [
        ("which", ASKS_WHICH, "anthropic"), ("key", ASKS_KEY, KEY), ("model", ASKS_MODEL, ""), ("name", ASKS_NAME, ""),
        ("file", "encrypted with a passphrase", "y"), ("passphrase", "new passphrase", PHRASE), ("again", "once more", ""),
    ]  # fmt: skip
    with interview(clean_machine) as asked:
        for name, question, text in steps:
            if name == at:
                assert asked.leave(question) == 130
                break
            asked.answer(question, text)
    assert "Traceback" not in asked.seen
    assert [name for name in left(clean_machine) if not name.endswith(".lock")] == []
    assert used(clean_machine)["name"] == "direct"


def test_without_a_terminal_the_way_out_is_named(clean_machine: Path) -> None:
    ran = lynkr("init", home=clean_machine, stdin="1\nmine\n")
    assert (ran.status, ran.out, "lynkr profile new" in ran.err, left(clean_machine)) == (2, "", True, [])
