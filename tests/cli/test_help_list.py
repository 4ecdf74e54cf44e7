"""The list of commands is shown without reading the commands, and says what they say themselves."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from lynkr.cli.main import GROUPS, lynkr

TEXTS = {name: text for names in GROUPS.values() for name, text in names.items()}


@pytest.mark.parametrize("name", TEXTS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = lynkr.get_command(click.Context(lynkr), name)
    assert command is not None
    assert command.get_short_help_str(60) == TEXTS[name]


def test_the_list_is_shown_without_reading_the_commands() -> None:
    code = "import sys, lynkr.cli.main as m\ntry: m.lynkr(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in TEXTS)
    assert not {"pathlib", *(f"lynkr.cli.{name}" for name in TEXTS)} & set(done.stdout.split())
