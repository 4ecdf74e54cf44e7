"""`lynkr completion`: the script that teaches a shell lynkr's commands and names."""

from __future__ import annotations

import os

import click

from lynkr.cli.speak import say, show

_WHERE = {
    "bash": 'eval "$(lynkr completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(lynkr completion zsh)" in ~/.zshrc',
    "fish": "lynkr completion fish > ~/.config/fish/completions/lynkr.fish",
}


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(tuple(_WHERE)))
def command(shell: str) -> None:
    """Print the completion script for SHELL: commands, options, profiles, lanes, tools, keys and sessions.

    \b
      bash   eval "$(lynkr completion bash)" in ~/.bashrc
      zsh    eval "$(lynkr completion zsh)" in ~/.zshrc
      fish   lynkr completion fish > ~/.config/fish/completions/lynkr.fish
    """
    from lynkr.paths import shipped

    show([(shipped("completions") / f"lynkr.{shell}").read_text("utf-8").rstrip()])
    if os.isatty(1):
        say(f"to have it in every shell: {_WHERE[shell]}")
