"""`lynkr route`: which tier and lane a prompt would take, and why; or what a session's requests took."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lynkr.cli.complete import profile_names
from lynkr.cli.report import find
from lynkr.cli.speak import paint, show
from lynkr.errors import UsageError
from lynkr.paths import paths

_PARTS = 8


@click.command(short_help="Which tier and lane a prompt would take, and why.")
@click.argument("text", metavar="[TEXT|-]", required=False)
@click.option("-p", "--profile", metavar="NAME", shell_complete=profile_names, help="The profile to use.")
@click.option(
    "--jsonl",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help='Prompts, one {"prompt": …} a line; gives one line of JSON for each.',
)
@click.option("--session", metavar="SESSION|last", help="What a past session's requests took, turn by turn, and why.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(text: str | None, profile: str | None, jsonl: Path | None, session: str | None, as_json: bool) -> None:
    """Say which tier and lane TEXT (`-` reads stdin) would take as a conversation's first prompt, and why.

    Nothing is sent anywhere. In a session, more counts than the first prompt: docs/routing.md.
    """
    if sum(value is not None for value in (text, jsonl, session)) != 1:
        raise UsageError('say one of: lynkr route "TEXT", lynkr route --jsonl FILE, lynkr route --session last')
    if session is not None:
        _explain(session, as_json=as_json)
        return
    route = _router(profile)
    if jsonl is not None:
        for prompt in _prompts(jsonl):
            found = route(prompt)
            click.echo(json.dumps({name: found[name] for name in ("tier", "score", "lane", "why")}))
        return
    found = route(sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text or "")
    show([json.dumps(found, indent=1)] if as_json else _lines(found))


def _router(name: str | None) -> Any:
    """What says of a prompt where it would go, by the profile to use."""
    from lynkr import profiles
    from lynkr.routing.asking import marked, unmarked
    from lynkr.routing.router import router
    from lynkr.routing.score import score, weights
    from lynkr.routing.tiers import Work, tier_of

    profile = profiles.choose(name, os.environ, Path.cwd(), paths(os.environ))
    chosen = router(profile.lanes, profile.tiers, profile.routing)

    def route(prompt: str) -> dict[str, Any]:
        result = score(unmarked(prompt))
        if chosen.tiers:
            said = tier_of(Work("main", "", unmarked(prompt)), chosen.routing, marked(prompt))
            tier, why = said.tier, said.why
            lanes = [lane for lane in chosen.lanes if lane.name == said.lane]
        else:
            tier, lanes = chosen.tier, []
            why = f"profile {profile.name} sends everything down the same lanes"
        lanes += [lane for lane in chosen.of_tier(tier, None) if lane not in lanes]
        return {
            "tier": tier,
            "score": result.value,
            "lane": lanes[0].name,
            "why": why,
            "profile": profile.name,
            "lanes": [lane.name for lane in lanes],
            "models": [lane.model for lane in lanes],
            "limits": weights()["tiers"],
            "parts": [{"name": part.name, "words": part.words, "weight": round(part.weight, 4)}
                      for part in result.parts],
        }  # fmt: skip

    return route


def _prompts(file: Path) -> Iterator[str]:
    """The prompts of a file of JSON lines. Raises UsageError naming the line that is none."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    # Lines end in LF alone: a prompt may hold what other readers take for a line end.
    for number, line in enumerate(raw.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file}:{number}: this is no JSON ({error})") from error
        prompt = value.get("prompt") if isinstance(value, dict) else None
        if not isinstance(prompt, str):
            raise UsageError(f'{file}:{number}: it has no text under "prompt"')
        yield prompt


def _lines(found: dict[str, Any]) -> list[str]:
    """What was found, for a reader."""
    model = found["models"][0] or "the model that the tool asks for"
    lines = [
        f"{paint(found['tier'], 'bold')} → lane {paint(found['lane'], 'bold')}, {model}",
        f"because: {found['why']}",
    ]
    if others := found["lanes"][1:]:
        lines.append(f"if that does not answer: {', '.join(others)}")
    limits = ", ".join(f"{tier} from {value:.2f}" for tier, value in found["limits"].items())
    lines += ["", f"{paint('score', 'bold')} {found['score']:.2f} of 1 ({limits})"]
    parts = found["parts"]
    lines += [f"  {part['weight']:+.2f}  {part['words']}" for part in parts[:_PARTS]]
    if len(parts) > _PARTS:
        rest = sum(part["weight"] for part in parts[_PARTS:])
        lines.append(paint(f"  {rest:+.2f}  {len(parts) - _PARTS} smaller things (--json lists them)", "dim"))
    return [*lines, "", paint(f"profile {found['profile']}; nothing was sent", "dim")]


def _explain(wanted: str, *, as_json: bool) -> None:
    from lynkr.report.routing import explained
    from lynkr.report.values import report

    values = report(*find(paths(os.environ).ledger, wanted))
    if as_json:
        names = ("id", "at", "who", "conversation", "tier", "score", "lane", "model", "asked_model", "why", "tried",
                 "switch", "status")  # fmt: skip
        show([json.dumps([{name: request[name] for name in names} for request in values["requests"]], indent=1)])
        return
    show(explained(values, paint))
