"""What `lynkr key test` says of a key, and that no key is ever seen again, wherever one looks."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran, command_line, environment, lynkr, profile
from scripts import Asked, Script, Step, anthropic, upstream, whole
from secretservice import secret_service

KEY = "sk-none-of-your-business-0123456789"
PHRASE = "correct horse battery"
LANE = '[lanes.a]\nprovider = "anthropic"\nmodel = "{model}"\nbase_url = "{url}"\n'
SEND = (
    "import os, urllib.request as u; u.urlopen(u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', "
    'b\'{"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}\')).read()'
)


def with_lane(home: Path, url: str = "http://127.0.0.1:9", model: str = "claude-haiku-5-5") -> None:
    profile(home, "work", LANE.format(url=url, model=model))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusing(status: int, kind: str, message: str) -> Script:
    def script(_asked: Asked) -> list[Step]:
        return whole({"type": "error", "error": {"type": kind, "message": message}}, status)

    return script


def tried(home: Path, script: Script, model: str = "claude-haiku-5-5") -> tuple[Ran, dict[str, Any]]:
    """What `key test` says to a person, and to a script."""
    with upstream(script) as up:
        with_lane(home, up.url, model=model)
        words = ("key", "test", "anthropic", "-p", "work")
        told = lynkr(*words, home=home, ANTHROPIC_API_KEY=KEY)
        shown = lynkr(*words, "--json", home=home, ANTHROPIC_API_KEY=KEY)
    assert KEY not in told.out + told.err + shown.out + shown.err
    assert told.status == shown.status
    assert up.asked[0].header("x-api-key") == KEY
    return told, json.loads(shown.out)[0]


def test_a_good_key_serves_and_what_that_cost_is_said(clean_machine: Path) -> None:
    told, row = tried(clean_machine, anthropic())
    assert (told.status, "serves" in told.err, "$0.0001" in told.err) == (0, True, True)
    assert (row["lane"], row["status"], row["problem"]) == ("a", 200, None)
    assert 0.00005 < row["cost_usd"] < 0.001


def test_what_has_no_known_price_is_not_free(clean_machine: Path) -> None:
    told, row = tried(clean_machine, anthropic(), model="nobody-knows")
    assert (told.status, "free" in told.err, row["cost_usd"]) == (0, False, None)


def test_an_answer_without_figures_is_not_free(clean_machine: Path) -> None:
    def script(asked: Asked) -> list[Step]:
        text = [{"type": "text", "text": "Hello"}]
        return whole(
            {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": text,
                "stop_reason": "end_turn",
            }
        )

    told, row = tried(clean_machine, script)
    assert (told.status, "free" in told.err, row["cost_usd"]) == (0, False, None)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [(401, "authentication_error", "does not take this key"), (429, "rate_limit_error", "the key is good")],
)
def test_a_key_that_is_refused_says_why(clean_machine: Path, status: int, kind: str, said: str) -> None:
    told, row = tried(clean_machine, refusing(status, kind, "no"))
    assert (told.status, said in told.err, row["status"], said in row["problem"]) == (1, True, status, True)


def test_a_provider_that_repeats_the_key_does_not_make_us_print_it(clean_machine: Path) -> None:
    told, _row = tried(clean_machine, refusing(403, "permission_error", f"the key {KEY} may not do that"))
    assert told.status == 1


def test_a_lane_that_nobody_answers_at_is_said_to_be_that(clean_machine: Path) -> None:
    with_lane(clean_machine, "http://127.0.0.1:9")
    ran = lynkr("key", "test", "anthropic", "-p", "work", home=clean_machine, ANTHROPIC_API_KEY=KEY)
    assert (ran.status, "nothing listens at 127.0.0.1:9" in ran.err) == (1, True)


def test_a_key_that_no_lane_uses_is_said_to_be_that(clean_machine: Path) -> None:
    ran = lynkr("key", "test", "nosuch", home=clean_machine)
    assert (ran.status, "'nosuch'" in ran.err) == (78, True)


# --- a key is never seen again ----------------------------------------------------------------------------------------

LOOK = 'env; cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; cp -r "$LYNKR_HOME" "$HOME/copy"'


@pytest.mark.parametrize("source", ["keyring", "file", "environment"])
def test_a_key_is_nowhere_to_be_found(clean_machine: Path, source: str) -> None:
    with secret_service() as service, upstream(anthropic()) as up:
        env = {name: value for name, value in service.environ.items() if name != "HOME"} | {"LYNKR_PASSPHRASE": PHRASE}
        if source == "environment":
            env |= {"ANTHROPIC_API_KEY": KEY, "A_COPY": f"x{KEY}"}
        else:
            options = ["--file"] if source == "file" else []
            assert lynkr("key", "set", "anthropic", *options, home=clean_machine, stdin=KEY, **env).status == 0
        with_lane(clean_machine, up.url)
        code = f"{SEND}; import subprocess; subprocess.run(['sh', '-c', {LOOK!r}])"
        words = ("run", "-v", "-p", "work", "--", sys.executable, "-c", code)
        ran = [lynkr(*words, home=clean_machine, **env)]
        assert up.asked[0].header("x-api-key") == KEY
        for others in (
            "run -p work --dry-run -- true",
            "report --json",
            "key list",
            "profile show work",
            "doctor --json",
        ):
            ran.append(lynkr(*others.split(), home=clean_machine, **env))
    assert "LYNKR_SESSION=" in ran[0].out
    assert "lane a" in ran[1].out
    assert (clean_machine / "copy" / "state" / "sessions").is_dir()
    for secret in (KEY, PHRASE):
        assert not [each for each in ran if secret in each.out + each.err]
        assert not [name for name, text in files(clean_machine).items() if secret.encode() in text]


def test_a_crash_dump_does_not_hold_the_key(clean_machine: Path) -> None:
    with_lane(clean_machine)
    process = subprocess.Popen(
        command_line("run", "-p", "work", "--", "sh", "-c", "echo started; exec sleep 20"),
        env=environment(clean_machine, ANTHROPIC_API_KEY=KEY, PYTHONFAULTHANDLER="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGABRT)
    process.wait(10)
    os.killpg(process.pid, signal.SIGKILL)
    _out, said = process.communicate(timeout=10)
    assert b"Fatal Python error: Aborted" in said
    assert KEY.encode() not in said


RING = """
import keyring.backend
class Ring(keyring.backend.KeyringBackend):
    priority = 5
    def get_password(self, service, name): return None
    def set_password(self, service, name, password): raise RuntimeError(f"vault put {name} {password} failed")
    def delete_password(self, service, name): pass
"""


def test_a_keyring_that_repeats_the_key_does_not_make_us_print_it(clean_machine: Path) -> None:
    (clean_machine / "vault.py").write_text(RING)
    env = {"PYTHONPATH": str(clean_machine), "PYTHON_KEYRING_BACKEND": "vault.Ring"}
    ran = lynkr("key", "set", "anthropic", home=clean_machine, stdin=KEY, **env)
    assert (ran.status, "vault put anthropic" in ran.err, KEY in ran.err) == (78, True, False)
