"""Keys as a user stores, lists and removes them, and which of them a lane takes.

The keyring is a real Secret Service on a bus of its own; the encrypted file and a machine without a keyring need nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from conftest import Ran, command_line, environment, lynkr, profile
from scripts import anthropic, upstream
from secretservice import SERVICE, SecretService, nobody_answers, secret_service, session_bus

KEY = "sk-none-of-your-business-0123456789"
PHRASE = "correct horse battery"
LANE = '[lanes.a]\nprovider = "anthropic"\nmodel = "{model}"\nbase_url = "{url}"\n{more}\n'
SEND = (
    "import os, urllib.request as u; u.urlopen(u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', "
    'b\'{"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}\')).read()'
)


@pytest.fixture
def desktop() -> Iterator[SecretService]:
    with secret_service() as service:
        yield service


def ring(service: SecretService) -> dict[str, str]:
    return bus(service.environ)


def bus(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name != "HOME"}


def with_lane(home: Path, url: str = "http://127.0.0.1:9", more: str = "", model: str = "claude-haiku-5-5") -> None:
    profile(home, "work", LANE.format(url=url, more=more, model=model))


def store(home: Path, name: str, key: str = KEY, *options: str, **env: str) -> Ran:
    ran = lynkr("key", "set", name, *options, home=home, stdin=key + "\n", **env)
    assert ran.status == 0, ran.err
    return ran


def to_file(home: Path, name: str, key: str = KEY) -> None:
    store(home, name, key, "--file", LYNKR_PASSPHRASE=PHRASE)


def listed(home: Path, **env: str) -> dict[str, Any]:
    return {row["name"]: row["found"] for row in json.loads(lynkr("key", "list", "--json", home=home, **env).out)}


def by_hand(service: SecretService, code: str) -> str:
    command = [sys.executable, "-c", f"import keyring; {code}"]
    environ = {"PATH": os.environ["PATH"], **service.environ}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the keyring ------------------------------------------------------------------------------------------------------


def test_a_key_is_kept_in_the_keyring_and_nowhere_else(clean_machine: Path, desktop: SecretService) -> None:
    with_lane(clean_machine)
    assert KEY not in store(clean_machine, "anthropic", **ring(desktop)).err
    assert by_hand(desktop, "print(keyring.get_password('lynkr', 'anthropic'))") == KEY
    assert not any(KEY.encode() in text for text in files(clean_machine).values())
    assert listed(clean_machine, **ring(desktop)) == {"anthropic": "the keyring"}
    shown = lynkr("run", "-p", "work", "--dry-run", "--", "true", home=clean_machine, **ring(desktop))
    assert "key 'anthropic' from the keyring" in shown.out
    assert lynkr("key", "rm", "anthropic", home=clean_machine, **ring(desktop)).status == 0
    assert by_hand(desktop, "print(keyring.get_password('lynkr', 'anthropic'))") == "None"
    again = lynkr("key", "rm", "anthropic", home=clean_machine, **ring(desktop))
    assert (again.status, "'anthropic'" in again.err) == (78, True)


def test_the_list_says_what_is_there_now(clean_machine: Path, desktop: SecretService) -> None:
    with_lane(clean_machine, more='key = "corp"')
    store(clean_machine, "gone", **ring(desktop))
    by_hand(desktop, f"keyring.set_password('lynkr', 'corp', '{KEY}'); keyring.delete_password('lynkr', 'gone')")
    found = listed(clean_machine, **ring(desktop))
    assert found["corp"] == "the keyring"
    assert found.get("gone") is None


def test_a_key_in_the_file_is_not_said_to_be_in_the_keyring(clean_machine: Path, desktop: SecretService) -> None:
    with_lane(clean_machine)
    store(clean_machine, "anthropic", KEY, "--file", LYNKR_PASSPHRASE=PHRASE, **ring(desktop))
    assert "keys.enc" in listed(clean_machine, **ring(desktop))["anthropic"]
    words = ("run", "-p", "work", "--dry-run", "--", "true")
    assert "keys.enc" in lynkr(*words, home=clean_machine, LYNKR_PASSPHRASE=PHRASE, **ring(desktop)).out


def test_the_key_that_was_stored_last_is_the_one_that_counts(clean_machine: Path, desktop: SecretService) -> None:
    with_lane(clean_machine)
    env = {"LYNKR_PASSPHRASE": PHRASE, **ring(desktop)}
    store(clean_machine, "anthropic", STORED, **env)
    told = store(clean_machine, "anthropic", OWN, "--file", **env)
    with upstream(anthropic()) as up:
        with_lane(clean_machine, up.url)
        lynkr("run", "-q", "-p", "work", "--", sys.executable, "-c", SEND, home=clean_machine, **env)
    sent = up.asked[0].header("x-api-key")
    assert sent == OWN or (sent == STORED and "keyring" in told.err)


def test_a_key_in_the_file_can_be_removed_while_the_keyring_is_locked(
    clean_machine: Path, desktop: SecretService
) -> None:
    store(clean_machine, "corp", KEY, "--file", LYNKR_PASSPHRASE=PHRASE, **ring(desktop))
    desktop.lock()
    assert lynkr("key", "rm", "corp", home=clean_machine, **ring(desktop)).status == 0
    assert listed(clean_machine, **ring(desktop)).get("corp") is None


def test_a_locked_keyring_says_so_and_names_the_ways_out(clean_machine: Path, desktop: SecretService) -> None:
    with_lane(clean_machine)
    store(clean_machine, "anthropic", **ring(desktop))
    desktop.lock()
    refused = lynkr("key", "set", "anthropic", home=clean_machine, stdin=KEY, **ring(desktop))
    assert refused.status == 78
    assert "unlock" in refused.err
    assert "--file" in refused.err
    run = lynkr("run", "-p", "work", "--dry-run", "--", "true", home=clean_machine, **ring(desktop))
    assert run.status == 78
    assert "unlock" in run.err
    shown = lynkr(
        "run", "-p", "work", "--dry-run", "--", "true", home=clean_machine, ANTHROPIC_API_KEY=KEY, **ring(desktop)
    )
    assert "key from ANTHROPIC_API_KEY" in shown.out


def test_a_keyring_that_hangs_can_be_left_with_ctrl_c(clean_machine: Path) -> None:
    with session_bus() as environ, nobody_answers(environ, SERVICE):
        env = environment(clean_machine, **bus(environ))
        child = pexpect.spawn(sys.executable, ["-m", "lynkr", "key", "set", "anthropic"], env=env, encoding="utf-8")
        child.expect("the key 'anthropic'", timeout=20)
        child.sendline(KEY)
        child.expect("waiting for the keyring", timeout=20)
        child.sendintr()
        child.expect(pexpect.EOF, timeout=10)
        child.close()
    assert child.exitstatus == 130
    assert files(clean_machine) == {}


# Whoever is about to write the list of names is held up, so that the other one writes at the same time.
SLOWLY = """
import sys, time
def slowly(event, args):
    if event == "open" and "keys.json" in str(args[0]) and isinstance(args[2], int) and args[2] & 3:
        time.sleep(0.4)
sys.addaudithook(slowly)
"""


def all_at_once(home: Path, names: list[str], *options: str, **env: str) -> None:
    """Stores a key under each name, each in a process of its own."""
    writers = []
    for name in names:
        command = command_line("key", "set", name, *options)
        writers.append(subprocess.Popen(command, env=environment(home, **env), stdin=subprocess.PIPE))
    for writer in writers:
        assert writer.stdin is not None
        with writer.stdin as stdin:
            stdin.write(KEY.encode())
    assert [writer.wait(60) for writer in writers] == [0] * len(names)


def test_processes_that_store_at_once_all_keep_their_key(clean_machine: Path, desktop: SecretService) -> None:
    (clean_machine / "slow").mkdir()
    (clean_machine / "slow" / "sitecustomize.py").write_text(SLOWLY)
    names = ["one", "two", "three"]
    all_at_once(clean_machine, names, PYTHONPATH=str(clean_machine / "slow"), **ring(desktop))
    assert set(listed(clean_machine, **ring(desktop))) == set(names)


# --- the encrypted file -----------------------------------------------------------------------------------------------


def test_the_encrypted_file_opens_with_its_passphrase_only(clean_machine: Path) -> None:
    with_lane(clean_machine)
    to_file(clean_machine, "anthropic")
    file = clean_machine / "lynkr" / "data" / "keys.enc"
    before = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert KEY.encode() not in before
    words = ("run", "-p", "work", "--dry-run", "--", "true")
    right = lynkr(*words, home=clean_machine, LYNKR_PASSPHRASE=PHRASE)
    assert (right.status, f"from the encrypted file {file}" in right.out) == (0, True)
    wrong = lynkr(*words, home=clean_machine, LYNKR_PASSPHRASE="wrong")
    assert (wrong.status, "does not open" in wrong.err) == (78, True)
    nobody = lynkr(*words, home=clean_machine)
    assert (nobody.status, "LYNKR_PASSPHRASE" in nobody.err) == (78, True)
    second = lynkr("key", "set", "b", "--file", home=clean_machine, stdin=KEY, LYNKR_PASSPHRASE="wrong")
    assert (second.status, file.read_bytes() == before) == (78, True)
    assert "keys.enc" in listed(clean_machine)["anthropic"]


@pytest.mark.parametrize("damage", ["garbage", "empty", "no salt", "bad salt", "short", "changed"])
def test_a_damaged_file_is_said_to_be_damaged_and_left_as_it_is(clean_machine: Path, damage: str) -> None:
    with_lane(clean_machine)
    to_file(clean_machine, "anthropic")
    file = clean_machine / "lynkr" / "data" / "keys.enc"
    outer = json.loads(file.read_text())
    keys = {**outer["keys"], "anthropic": "AAAA"}
    text = {
        "garbage": "garbage",
        "empty": "",
        "no salt": json.dumps({name: value for name, value in outer.items() if name != "salt"}),
        "bad salt": json.dumps({**outer, "salt": 5}),
        "short": file.read_text()[:-40],
        "changed": json.dumps({**outer, "keys": keys}),
    }[damage]
    file.write_text(text)
    ran = lynkr("run", "-p", "work", "--", "true", home=clean_machine, LYNKR_PASSPHRASE=PHRASE)
    assert (ran.status, len(ran.err.splitlines()), "keys.enc" in ran.err) == (78, 1, True)
    if damage != "changed":
        stored = lynkr("key", "set", "b", "--file", home=clean_machine, stdin=KEY, LYNKR_PASSPHRASE=PHRASE)
        assert (stored.status, "damaged" in stored.err, file.read_text()) == (78, True, text)


def test_many_processes_write_the_file_at_once(clean_machine: Path) -> None:
    names = [f"k{number}" for number in range(5)]
    all_at_once(clean_machine, names, "--file", LYNKR_PASSPHRASE=PHRASE)
    assert set(listed(clean_machine)) == set(names)


def test_at_a_terminal_key_and_passphrase_are_asked_for_without_an_echo(clean_machine: Path) -> None:
    with_lane(clean_machine)

    def talk(words: list[str], *answers: tuple[str, str]) -> tuple[int | None, str]:
        env = environment(clean_machine)
        child = pexpect.spawn(sys.executable, ["-m", "lynkr", *words], env=env, encoding="utf-8", timeout=20)
        said = ""
        for question, answer in answers:
            child.expect(question)
            said += child.before + child.after
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return child.exitstatus, said + child.before

    again = ("once more", PHRASE)
    status, said = talk(["key", "set", "b", "--file"], ("key 'b'", KEY), ("passphrase", "x"), ("once more", "y"))
    assert (status, "differ" in said, listed(clean_machine)["anthropic"]) == (78, True, None)
    status, said = talk(["key", "set", "anthropic", "--file"], ("key 'anthropic'", KEY), ("passphrase", PHRASE), again)
    assert (status, KEY in said, PHRASE in said) == (0, False, False)
    status, said = talk(["run", "-p", "work", "--", "echo", "started"], ("passphrase", PHRASE))
    assert (status, "started" in said, PHRASE in said) == (0, True, False)


def test_a_key_that_two_lanes_use_is_tried_with_the_passphrase_asked_for_once(clean_machine: Path) -> None:
    to_file(clean_machine, "anthropic")
    with upstream(anthropic()) as up:
        lane = LANE.format(url=up.url, more="", model="claude-haiku-5-5")
        profile(clean_machine, "work", lane + lane.replace("[lanes.a]", "[lanes.b]"))
        words = ["-m", "lynkr", "key", "test", "anthropic", "-p", "work"]
        child = pexpect.spawn(sys.executable, words, env=environment(clean_machine), encoding="utf-8", timeout=20)
        child.expect("passphrase")
        child.sendline(PHRASE)
        child.expect(pexpect.EOF)
        child.close()
    assert (child.exitstatus, "passphrase" in child.before) == (0, False)
    assert [asked.header("x-api-key") for asked in up.asked] == [KEY, KEY]


def test_a_piped_prompt_leaves_the_terminal_to_ask_for_the_passphrase(clean_machine: Path) -> None:
    with_lane(clean_machine)
    to_file(clean_machine, "anthropic")
    command = f"echo a prompt | {sys.executable} -m lynkr run -p work -- cat"
    child = pexpect.spawn("/bin/sh", ["-c", command], env=environment(clean_machine), encoding="utf-8", timeout=20)
    child.expect("passphrase of lynkr's keys")
    child.sendline(PHRASE)
    child.expect("a prompt")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# --- no keyring, odd keyrings, odd keys -------------------------------------------------------------------------------

PLAINTEXT = """
import keyring.backend, pathlib
class PlaintextKeyring(keyring.backend.KeyringBackend):
    priority = 0.5
    def get_password(self, service, name): return None
    def set_password(self, service, name, password): pathlib.Path("plain.txt").write_text(password)
    def delete_password(self, service, name): pass
"""


@pytest.mark.parametrize(
    "backend",
    [None, "", "no.such.Module", "keyring.nope", "keyring.backends.null.Keyring", "keyrings.alt.file.PlaintextKeyring"],
)
def test_without_a_keyring_the_ways_out_are_named_and_nothing_is_written(
    clean_machine: Path, backend: str | None
) -> None:
    folder = clean_machine / "modules" / "keyrings" / "alt"
    folder.mkdir(parents=True)
    (folder / "file.py").write_text(PLAINTEXT)
    env = {"PYTHONPATH": str(clean_machine / "modules")}
    before = files(clean_machine)
    ran = lynkr("key", "set", "groq", home=clean_machine, stdin=KEY, **env,
                **({} if backend is None else {"PYTHON_KEYRING_BACKEND": backend}))  # fmt: skip
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (78, "", 1)
    assert "lynkr key set groq --file" in ran.err
    assert "environment" in ran.err
    kept = {name: text for name, text in files(clean_machine).items() if "__pycache__" not in name}
    assert kept == before


@pytest.mark.parametrize(
    "key", [b"", b"\n", b" \n", b"a b\n", "schlüssel\n".encode(), b"a\tb\n", b"\xff\xfe\n", b"a\0b\n"]
)
def test_what_is_no_key_is_refused_in_one_line(clean_machine: Path, key: bytes) -> None:
    env = environment(clean_machine, LYNKR_PASSPHRASE=PHRASE, LANG="C.UTF-8")
    command = command_line("key", "set", "odd", "--file")
    done = subprocess.run(command, env=env, input=key, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (78, b"", 1)
    assert listed(clean_machine) == {}


@pytest.mark.parametrize("name", ["a b", "", "../x", "ü", "x" * 65, "a/b"])
def test_what_cannot_be_a_name_is_refused(clean_machine: Path, name: str) -> None:
    ran = lynkr("key", "set", name, "--file", home=clean_machine, stdin=KEY, LYNKR_PASSPHRASE=PHRASE)
    assert (ran.status, ran.err.startswith("lynkr: "), files(clean_machine)) == (78, True, {})


def test_a_key_in_an_argument_is_refused_and_not_repeated(clean_machine: Path) -> None:
    ran = lynkr("key", "set", "anthropic", KEY, home=clean_machine, LYNKR_PASSPHRASE=PHRASE)
    assert (ran.status, KEY in ran.out + ran.err) == (2, False)


def test_removing_nothing_says_so_and_writes_nothing(clean_machine: Path) -> None:
    ran = lynkr("key", "rm", "nothing", home=clean_machine)
    assert (ran.status, "'nothing'" in ran.err, files(clean_machine)) == (78, True, {})
    assert json.loads(lynkr("key", "list", "--json", home=clean_machine).out) == []


# --- which key is taken -----------------------------------------------------------------------------------------------

STORED, VARIABLE, CORP, OWN = (
    "sk-from-keyring-12345",
    "sk-from-variable-1234",
    "sk-of-corp-123456789",
    "sk-own-variable-1234",
)


@pytest.mark.parametrize(
    ("more", "stored", "env", "taken"),
    [
        ("", {"anthropic": STORED}, {"ANTHROPIC_API_KEY": VARIABLE}, STORED),
        ("", {}, {"ANTHROPIC_API_KEY": VARIABLE}, VARIABLE),
        ("", {}, {"ANTHROPIC_API_KEY": f" {VARIABLE}\n"}, VARIABLE),
        ('key = "corp"', {"anthropic": STORED, "corp": CORP}, {"ANTHROPIC_API_KEY": VARIABLE}, CORP),
        ('key = "corp"', {"anthropic": STORED}, {"ANTHROPIC_API_KEY": VARIABLE}, VARIABLE),
        ('key_env = "OWN"', {}, {"ANTHROPIC_API_KEY": VARIABLE, "OWN": OWN}, OWN),
        ('key_env = "OWN"', {}, {"ANTHROPIC_API_KEY": VARIABLE}, None),
        ('key = "corp"', {"anthropic": STORED}, {}, None),
        ("", {}, {"ANTHROPIC_API_KEY": ""}, None),
        ("", {"anthropic": "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"" + "k" * 5000}, {}, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"" + "k" * 5000),
    ],
)  # fmt: skip
def test_the_key_that_is_sent(
    clean_machine: Path,
    desktop: SecretService,
    more: str,
    stored: dict[str, str],
    env: dict[str, str],
    taken: str | None,
) -> None:
    for name, key in stored.items():
        store(clean_machine, name, key, **ring(desktop))
    with upstream(anthropic()) as up:
        with_lane(clean_machine, up.url, more)
        ran = lynkr(
            "run", "-q", "-p", "work", "--", sys.executable, "-c", SEND, home=clean_machine, **env, **ring(desktop)
        )
    if taken is not None:
        assert (ran.status, up.asked[0].header("x-api-key")) == (0, taken)
        return
    assert (ran.status, up.asked) == (78, [])
    assert f"lynkr key set {'corp' if 'corp' in more else 'anthropic'}" in ran.err
    assert ("OWN" if "key_env" in more else "ANTHROPIC_API_KEY") in ran.err
