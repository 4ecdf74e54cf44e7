"""What a turn costs as a conversation grows: the same growing body, asked for directly and through lynkr in turn."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from client import Peer
from contestants import Contestant

TURNS = 500
POINTS = (1, 25, 50, 100, 150, 200, 300, 400, 500)
# Turns around a point that its median is taken of.
AROUND = 12
LINE = "    def method(self, value: int) -> str:\n        return \"escaped \\\\ and 'quoted'\" + str(value)  # {}\n"


@dataclass(frozen=True)
class Point:
    """Milliseconds of a turn when so many have been; `added` by way."""

    turns: int
    kilobytes: float
    direct: float
    added: Mapping[str, float]


def bodies() -> list[bytes]:
    """A conversation as it is sent turn by turn, each with a file that the model has just read."""
    messages: list[dict[str, object]] = [{"role": "user", "content": "Please look for what is wrong here."}]
    found = []
    for turn in range(TURNS + AROUND):
        use = {"type": "tool_use", "id": f"t{turn}", "name": "Read", "input": {"file_path": f"/src/part{turn}.py"}}
        text = "".join(LINE.format(f"{turn}.{n}") for n in range(17))
        result = {"type": "tool_result", "tool_use_id": f"t{turn}", "content": text}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        found.append(json.dumps({"model": "claude-opus-5-5", "max_tokens": 1000, "messages": messages}).encode())
    return found


def curve(upstream: int, ways: Mapping[str, Contestant]) -> list[Point]:
    """Goes through the conversation once, on all ways in turn."""
    peers = {"direct": Peer(upstream, "")} | {way: Peer(who.port, who.prefix) for way, who in ways.items()}
    took: dict[str, list[float]] = {way: [] for way in peers}
    sizes = []
    for body in bodies():
        sizes.append(len(body) / 1000)
        for way, peer in random.sample(list(peers.items()), len(peers)):
            took[way].append(peer.ask(body, b"}}")[1])
    points = []
    for turns in POINTS:
        these = slice(turns - 1, turns - 1 + AROUND)
        direct = statistics.median(took["direct"][these])
        added = {way: statistics.median(took[way][these]) - direct for way in ways}
        points.append(Point(turns, sizes[turns - 1], direct, added))
    return points


WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 320, 56, 40, 28
COLOURS = {"direct": "#888888", "relayed": "#1f6feb", "compressed": "#bc4c00"}


def drawing(points: list[Point]) -> str:
    """The curve as an SVG: milliseconds of a whole turn, by turns."""
    series = {"direct": [point.direct for point in points]}
    for way in points[0].added:
        series[way] = [point.direct + point.added[way] for point in points]
    most = max(max(values) for values in series.values()) * 1.1

    def x(turns: float) -> float:
        return LEFT + turns / TURNS * (WIDTH - LEFT - 120)

    def y(ms: float) -> float:
        return HEIGHT - BOTTOM - ms / most * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        "<title>Milliseconds a turn takes, by the number of turns before it</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="16" fill="#333333">ms a turn</text>',
    ]
    for n in range(5):
        ms = most * n / 4
        parts.append(f'<line x1="{LEFT}" x2="{x(TURNS):.0f}" y1="{y(ms):.1f}" y2="{y(ms):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(ms) + 4:.1f}" text-anchor="end" fill="#333333">{ms:.1f}</text>')
    for turns in (0, 100, 200, 300, 400, 500):
        where = f'x="{x(turns):.0f}" y="{HEIGHT - BOTTOM + 18}"'
        parts.append(f'<text {where} text-anchor="middle" fill="#333333">{turns}</text>')
    parts.append(f'<text x="{x(250):.0f}" y="{HEIGHT - 6}" text-anchor="middle" fill="#333333">turns</text>')
    for way, values in series.items():
        line = " ".join(f"{x(point.turns):.1f},{y(ms):.1f}" for point, ms in zip(points, values, strict=True))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[way]}" stroke-width="2"/>')
        parts.append(f'<text x="{x(TURNS) + 8:.0f}" y="{y(values[-1]) + 4:.1f}" fill="{COLOURS[way]}">{way}</text>')
    return "\n".join([*parts, "</svg>", ""])
