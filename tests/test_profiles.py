"""A profile is read whole or refused: each mistake is named with its file, line and key, and the nearest right word.

A cloned repository's .lynkr.toml can name a profile and nothing else.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import reading
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.paths import Paths, shipped
from lynkr.profile import line_of, read
from lynkr.profiles import choose, load, names

few = settings(max_examples=80, deadline=None)

# The contract's example, with providers that this version knows.
EXAMPLE = """\
description = "Subscription for hard work, local for the rest"

[tiers]                                  # preferred lane first, then fallbacks
simple    = ["local"]
medium    = ["claude"]
complex   = ["claude", "azure"]
reasoning = ["claude", "azure", "google"]

[lanes.claude]
provider = "anthropic"
auth     = "client"                      # the tool's own credential, untouched; never stored

[lanes.local]
provider = "openai"
base_url = "http://127.0.0.1:11434/v1/"
format   = "openai-chat"
model    = "qwen2.5-coder:7b"
context  = 32768
timeout_s = 600

[lanes.azure]
provider = "anthropic"
base_url = "https://corp.services.ai.azure.com/anthropic"
model    = "claude-opus-4-8"
key      = "azure"                       # keyring entry; default: the provider's name
key_env  = "AZURE_KEY"
headers  = { "x-team" = "blue" }
price    = { input = 0.5, output = 1.5, cache_read = 0.05, cache_write = 0.6 }

[lanes.google]
provider = "gemini"
region   = "us-east-1"

[route]
mode = "tiered"                          # or "off": every request down the first `complex` lane
[compress]
tool_results = true
tool_schemas = false
terse        = "off"                     # off | lite | full | ultra
[cache]
answers = "exact"                        # off | exact | semantic
[budget]
session_usd = 5.00
on_exceed   = "stop"                     # warn | downgrade | stop
"""
LANE = '[lanes.a]\nprovider = "openai"\n'


def mistake(folder: Path, text: str) -> str:
    """What is said of the mistake in `text`, without the folder."""
    with pytest.raises(ConfigError) as caught:
        reading(folder, text)
    assert caught.value.exit_status == 78
    return caught.value.sentence.replace(f"{folder}/", "")


def lane(folder: Path, *lines: str) -> Lane:
    return reading(folder, LANE + "\n".join(lines)).lanes["a"]


# --- what is right ----------------------------------------------------------------------------------------------------


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    found = reading(tmp_path, EXAMPLE)
    assert (found.name, found.path) == ("work", tmp_path / "work.toml")
    assert found.description == "Subscription for hard work, local for the rest"
    assert found.tiers == {
        "simple": ("local",),
        "medium": ("claude",),
        "complex": ("claude", "azure"),
        "reasoning": ("claude", "azure", "google"),
    }
    assert list(found.lanes) == ["claude", "local", "azure", "google"]
    assert found.lanes["claude"] == Lane("claude", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
    assert found.lanes["local"] == Lane(
        "local",
        "openai",
        (Format.OPENAI_CHAT,),
        Auth.KEY,
        base_url="http://127.0.0.1:11434/v1",
        model="qwen2.5-coder:7b",
        context=32768,
        timeout_s=600.0,
    )
    assert found.lanes["azure"] == Lane(
        "azure",
        "anthropic",
        (Format.ANTHROPIC,),
        Auth.KEY,
        base_url="https://corp.services.ai.azure.com/anthropic",
        model="claude-opus-4-8",
        key="azure",
        key_env="AZURE_KEY",
        headers={"x-team": "blue"},
        price=Price(0.5, 1.5, 0.05, 0.6),
    )
    assert found.lanes["google"].region == "us-east-1"


def test_a_lane_needs_no_more_than_a_provider(tmp_path: Path) -> None:
    found = lane(tmp_path)
    assert found == Lane("a", "openai", (Format.OPENAI_RESPONSES, Format.OPENAI_CHAT), Auth.KEY)


def test_the_shipped_profile_changes_nothing_and_needs_no_key(where: Paths) -> None:
    found = load("direct", where)
    assert set(found.tiers["complex"]) == set(found.lanes)
    for direct in found.lanes.values():
        assert direct == Lane(direct.name, direct.provider, direct.formats, Auth.CLIENT)
    assert {spoken for direct in found.lanes.values() for spoken in direct.formats} == {
        Format.ANTHROPIC,
        Format.OPENAI_CHAT,
        Format.OPENAI_RESPONSES,
        Format.GEMINI,
    }


def test_every_shipped_profile_can_be_read(where: Paths) -> None:
    assert "direct" in names(where)
    for path in shipped("profiles").glob("*.toml"):
        assert read(path, path.stem).lanes


# --- each kind of mistake ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # a word that is not known, and the nearest one that is
        (f'{LANE}modle = "x"', "work.toml:3: lanes.a.modle: there is no such key (did you mean 'model'?)"),
        (f"{LANE}[tiers]\ncomplx = []", "work.toml:4: tiers.complx: there is no such key (did you mean 'complex'?)"),
        (f"{LANE}[compres]", "work.toml:3: compres: there is no such key (did you mean 'compress'?)"),
        (f"{LANE}[budget]\n\non_exced = 1", "work.toml:5: budget.on_exced: there is no such key (did you mean 'on_exceed'?)"),
        (f"{LANE}price = {{ input = 1, output = 1, cache_raed = 1 }}",
         "work.toml:3: lanes.a.price.cache_raed: there is no such key (did you mean 'cache_read'?)"),
        ('[lanes.a]\nprovider = "antropic"',
         "work.toml:2: lanes.a.provider: 'antropic' is not known here (did you mean 'anthropic'?)"),
        (f'{LANE}auth = "cleint"', "work.toml:3: lanes.a.auth: 'cleint' is not known here"),
        (f'{LANE}[tiers]\ncomplex = ["b"]', "work.toml:4: tiers.complex: there is no lane 'b'"),
        ('[lanes.claude]\nprovider = "openai"\n[tiers]\ncomplex = ["cluade"]',
         "work.toml:4: tiers.complex: there is no lane 'cluade' (did you mean 'claude'?)"),
        # a word that is like none
        (f"{LANE}zzz = 1", "work.toml:3: lanes.a.zzz: there is no such key; known: provider, auth, model"),
        (f'{LANE}format = "zzz"', "work.toml:3: lanes.a.format: 'zzz' is not known here; it can be anthropic, openai-chat"),
        # what is missing
        ("", "work.toml: it has no lane; add a section [lanes.NAME] with a provider"),
        ("[lanes]", "work.toml: it has no lane"),
        ("[lanes.a]", "work.toml:1: lanes.a: it needs a provider: anthropic, claude, azure-anthropic"),
        (f"{LANE}price = {{ input = 1 }}", "work.toml:3: lanes.a.price: it needs output"),
        (f"{LANE}price = {{}}", "work.toml:3: lanes.a.price: it needs input and output"),
        # the wrong kind of thing
        ("lanes = 3", "work.toml:1: lanes: it must be a section [lanes]"),
        ("[lanes]\na = 3", "work.toml:2: lanes.a: a lane is a section [lanes.NAME]"),
        ('[[lanes]]\nprovider = "openai"', "work.toml:1: lanes: it must be a section [lanes]"),
        ('description = 3\n' + LANE, "work.toml:1: description: it must be a text"),
        ("tiers = 3\n" + LANE, "work.toml:1: tiers: it must be a section [tiers]"),
        (f'{LANE}[tiers]\ncomplex = "a"', "work.toml:4: tiers.complex: it must be a list of lanes"),
        (f"{LANE}[tiers]\ncomplex = [1]", "work.toml:4: tiers.complex: it must be a list of lanes"),
        (f"{LANE}model = 3", "work.toml:3: lanes.a.model: it must be a name in quotes"),
        (f"{LANE}key = true", "work.toml:3: lanes.a.key: it must be a name in quotes"),
        (f"{LANE}auth = 3", "work.toml:3: lanes.a.auth: it must be one of client, key"),
        (f"{LANE}base_url = 3", "work.toml:3: lanes.a.base_url: it must be a URL"),
        (f'{LANE}context = "big"', "work.toml:3: lanes.a.context: it must be a number of tokens"),
        (f"{LANE}context = true", "work.toml:3: lanes.a.context: it must be a number of tokens"),
        (f"{LANE}timeout_s = 0", "work.toml:3: lanes.a.timeout_s: it must be a number above 0"),
        (f"{LANE}timeout_s = true", "work.toml:3: lanes.a.timeout_s: it must be a number above 0"),
        (f'{LANE}timeout_s = "1"', "work.toml:3: lanes.a.timeout_s: it must be a number above 0"),
        (f"{LANE}price = 3", "work.toml:3: lanes.a.price: it must be a section [lanes.a.price]"),
        (f"{LANE}price = {{ input = -1, output = 1 }}", "work.toml:3: lanes.a.price.input: a price is a number of USD"),
        (f'{LANE}price = {{ input = "1", output = 1 }}', "work.toml:3: lanes.a.price.input: a price is a number of USD"),
        (f"{LANE}headers = 3", "work.toml:3: lanes.a.headers: it must be a section [lanes.a.headers]"),
        (f"{LANE}[route]\nmood = 1", "work.toml:4: route.mood: there is no such key (did you mean 'mode'?)"),
        ("route = 3\n" + LANE, "work.toml:1: route: it must be a section [route]"),
        # what could be misused
        (f'{LANE}base_url = "corp.example"', "work.toml:3: base_url = 'corp.example' is no base URL"),
        (f'{LANE}headers = {{ "a b" = "1" }}', "work.toml:3: lanes.a.headers.a b: a header is a name and a text of one line"),
        (f'{LANE}headers = {{ a = "1\\r\\nb: 2" }}', "work.toml:3: lanes.a.headers.a: a header is a name and a text"),
        (f"{LANE}headers = {{ a = 1 }}", "work.toml:3: lanes.a.headers.a: a header is a name and a text of one line"),
        ('[lanes."a b"]\nprovider = "openai"', "work.toml:1: lanes.a b: a lane's name has letters, digits"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    assert mistake(tmp_path, text).startswith(said)


def test_what_is_not_toml_says_where_it_stops_being_it(tmp_path: Path) -> None:
    assert mistake(tmp_path, "a = 1\nb = = 2\n").startswith("profile work.toml is not TOML: ")
    assert "line 2" in mistake(tmp_path, "a = 1\nb = = 2\n")
    assert "not TOML" in mistake(tmp_path, "a = 1\na = 2\n")


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "work.toml"
    path.write_bytes(b"description = '\xff'\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(path, "work")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "nowhere.toml", "nowhere")


@pytest.mark.parametrize(
    ("text", "at", "line"),
    [
        ("[a]\nb = 1", ("a", "b"), 2),
        ("# c\n\n[a.b]\nc = 1\n", ("a", "b", "c"), 4),
        ("a.b = 1\na.c = 2", ("a", "c"), 2),
        ("[a]\nb = { c = 1 }", ("a", "b", "c"), 2),
        ("[a]\n\n[b]\nc = 1", ("a", "c"), 1),
        ("  [ a ]  # why\n  b = 1", ("a", "b"), 2),
        ("['a']\n\"b\" = 1", ("a", "b"), 2),
        ("[[a]]\nb = 1", ("a", "b"), 2),
        ("[a]\nb = 1\n[c]\nb = 2", ("c", "b"), 4),
        ("x = 1", ("a",), None),
        ("", ("a",), None),
    ],
)
def test_the_line_of_a_key_is_its_own_or_its_sections(text: str, at: tuple[str, ...], line: int | None) -> None:
    assert line_of(text, at) == line


# --- the names of profiles --------------------------------------------------------------------------------------------


def test_a_profile_of_the_users_comes_before_a_shipped_one(where: Paths) -> None:
    (where.profiles / "direct.toml").write_text('description = "mine"\n' + LANE)
    assert load("direct", where).description == "mine"
    assert names(where) == sorted({*names(where), "direct"})


def test_a_profile_that_is_not_there_is_named_with_the_nearest_that_is(where: Paths) -> None:
    (where.profiles / "work.toml").write_text(LANE)
    with pytest.raises(ConfigError) as caught:
        load("dierct", where)
    assert "there is no profile 'dierct' (did you mean 'direct'?)" in caught.value.sentence
    assert "known: direct" in caught.value.sentence
    assert str(where.profiles) in caught.value.sentence


@pytest.mark.parametrize("name", ["", "../direct", "a/b", ".hidden", "/etc/passwd", "a b", "a\x00", "x" * 65, "ä"])
def test_what_could_be_a_path_is_no_name(where: Paths, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a profile's name"):
        load(name, where)


def test_all_profiles_are_listed_once(where: Paths) -> None:
    for name in ("work", "direct", "b"):
        (where.profiles / f"{name}.toml").write_text(LANE)
    (where.profiles / "notes.txt").write_text("")
    assert {"b", "direct", "work"} <= set(names(where))
    assert names(where) == sorted(set(names(where)))
    assert "notes" not in names(where)


# --- which profile ----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(where: Paths, tmp_path: Path) -> Path:
    """A folder deep in a project, with a profile of the user's for each way of choosing one."""
    for name in ("option", "variable", "local", "used"):
        (where.profiles / f"{name}.toml").write_text(LANE)
    folder = tmp_path / "project" / "deep" / "down"
    folder.mkdir(parents=True)
    return folder


def test_the_order_of_choice(where: Paths, project: Path) -> None:
    environ = {"LYNKR_PROFILE": "variable"}
    assert choose(None, {}, project, where).name == "direct"
    (where.config / "profile").write_text("used\n")
    assert choose(None, {}, project, where).name == "used"
    (project.parent.parent / ".lynkr.toml").write_text('profile = "local"\n')
    assert choose(None, {}, project, where).name == "local"
    assert choose(None, environ, project, where).name == "variable"
    assert choose("option", environ, project, where).name == "option"


def test_the_nearest_local_file_counts(where: Paths, project: Path) -> None:
    (project.parent.parent / ".lynkr.toml").write_text('profile = "used"\n')
    (project.parent / ".lynkr.toml").write_text('profile = "local"\n')
    assert choose(None, {}, project, where).name == "local"
    assert choose(None, {}, project.parent.parent, where).name == "used"


@pytest.mark.parametrize("nothing", ["", " \n"])
def test_a_choice_of_nothing_is_no_choice(where: Paths, project: Path, nothing: str) -> None:
    (where.config / "profile").write_text(nothing)
    assert choose(None, {"LYNKR_PROFILE": ""}, project, where).name == "direct"


@pytest.mark.parametrize("text", ["", "[budget]\nsession_usd = 1.0\n"])
def test_a_local_file_need_not_name_a_profile(where: Paths, project: Path, text: str) -> None:
    (where.config / "profile").write_text("used")
    (project / ".lynkr.toml").write_text(text)
    assert choose(None, {}, project, where).name == "used"


@pytest.mark.parametrize(
    "text",
    [
        '[lanes.a]\nprovider = "anthropic"\nbase_url = "http://evil.example"\n',
        '[tiers]\ncomplex = ["a"]\n',
        'base_url = "http://evil.example"\n',
        "[route]\nmode = 'off'\n",
        "[compress]\n",
        'description = "x"\n',
        'Profile = "local"\n',
    ],
)
def test_a_cloned_repository_cannot_say_where_requests_go(where: Paths, project: Path, text: str) -> None:
    path = project / ".lynkr.toml"
    path.write_text('profile = "local"\n' + text)
    with pytest.raises(ConfigError) as caught:
        choose(None, {}, project, where)
    key = next(key for key in tomllib.loads(text))
    assert caught.value.sentence.startswith(f"{path}: {key!r} cannot stand here")
    assert caught.value.exit_status == 78


@pytest.mark.parametrize("text", ["profile = 3", "profile = ['a']", "profile = = 3", "\x00", "profile = 'x"])
def test_a_local_file_that_makes_no_sense_is_an_error_with_its_path(where: Paths, project: Path, text: str) -> None:
    (project / ".lynkr.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        choose(None, {}, project, where)
    assert caught.value.sentence.startswith(str(project / ".lynkr.toml"))


def test_a_local_file_cannot_name_a_path(where: Paths, project: Path) -> None:
    (project / "evil.toml").write_text(LANE)
    (project / ".lynkr.toml").write_text('profile = "./evil.toml"\n')
    with pytest.raises(ConfigError, match="cannot be a profile's name"):
        choose(None, {}, project, where)


def test_a_better_choice_leaves_a_broken_local_file_alone(where: Paths, project: Path) -> None:
    (project / ".lynkr.toml").write_text("= broken")
    assert choose("option", {}, project, where).name == "option"
    assert choose(None, {"LYNKR_PROFILE": "variable"}, project, where).name == "variable"


# --- arbitrary text ---------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["description", "lanes", "lanes.a", "tiers", "route", "compress", "cache", "budget", "provider", "auth", "model", "mode",
     "base_url", "format", "headers", "timeout_s", "price", "key", "key_env", "context", "region", "complex", "input", "x"]
)  # fmt: skip
VALUES = st.sampled_from(
    ['"openai"', '"anthropic"', '"client"', '"http://h"', '"x"', "3", "-1", "0.5", "true", "[]", '["a"]', "[[1]]", "{}",
     "{ input = 1, output = 2 }", "{ a = 'b' }", "2026-01-01", "10:00:00", '"""\nx = 1\n"""', "", "="]
)  # fmt: skip
LINES = st.one_of(
    st.builds("[{}]".format, WORDS),
    st.builds("{} = {}".format, WORDS, VALUES),
    st.just(LANE),
    st.text("a[]=\"'# \n.{}", max_size=6),
)


@few
@given(st.lists(LINES, max_size=8).map("\n".join))
def test_whatever_stands_in_a_profile_it_is_read_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.toml"
    path.write_text(text, "utf-8")
    try:
        found: Any = read(path, "arbitrary")
    except ConfigError as error:
        assert str(path) in error.sentence
    else:
        assert found.lanes
        assert all(name in found.lanes for named in found.tiers.values() for name in named)


@few
@given(st.binary(max_size=60))
def test_whatever_bytes_a_file_has_it_is_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "raw.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError):
        read(path, "raw")
