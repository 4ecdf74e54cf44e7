"""How the weights of lynkr/routing/weights.json were fitted, and how well they tell small work from large.

    python tests/bench/scoring.py SESSION_PROMPTS.jsonl SWEBENCH.jsonl [--write]

The first file has prompts of real sessions with the work that followed (`n_requests`, `n_tool_calls`, `n_edits`, `label`
trivial to large, `project`), the second tasks with the outcome and cost of several models (`per_model`, `id`). A ridge
regression of the logarithm of the work on signals, length and words; each project is left out of the fitting in turn, and
what is reported is always about the one that was left out. With --write the weights, fitted on all session prompts, go
into the package and the figures into docs/routing.md. The tasks are never fitted on.
"""

from __future__ import annotations

import ast
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lynkr.routing.score import WORD, lengths, signals, words
from lynkr.routing.signals import SIGNALS

ROOT = Path(__file__).parent.parent.parent
WEIGHTS, DOCUMENT = ROOT / "lynkr" / "routing" / "weights.json", ROOT / "docs" / "routing.md"
BEGIN, END = "<!-- figures: made by tests/bench/scoring.py -->", "<!-- end of figures -->"
RIDGE = 10.0
LEAST_PROMPTS, LEAST_PROJECTS = 8, 2
STRONG, CHEAP = "Claude 4 Opus (20250514)", "GPT-5 mini (2025-08-07) (medium reasoning)"
# Shares of session prompts below each tier's beginning: as many are trivial, small and medium.
TIERS = {"medium": 0.5, "complex": 0.8, "reasoning": 0.97}
Features = dict[str, float]


def features(prompt: str) -> tuple[Features, set[str]]:
    """What is known of a prompt but for its words, and its words."""
    return {signal.name: 1.0 for signal in signals(prompt)} | lengths(prompt), words(prompt)


def work(rows: Sequence[dict[str, Any]]) -> list[float]:
    """How much work followed each prompt: requests, calls and edits, each as logarithm and in its own spread."""
    return [sum(each) for each in zip(*(_even([math.log1p(int(row[key])) * factor for row in rows], factor)
            for key, factor in (("n_requests", 1.0), ("n_tool_calls", 1.0), ("n_edits", 0.7))), strict=True)]  # fmt: skip


def _even(values: list[float], factor: float) -> list[float]:
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)) or 1.0
    return [(value - mean) / spread * factor for value in values]


class Fitted:
    """A ridge regression: the weight of each feature and word, and the bias."""

    def __init__(self, known: Sequence[tuple[Features, set[str]]], wanted: Sequence[float], projects: Sequence[str]):
        counts, places = Counter[str](), dict[str, set[str]]()
        for (_, said), project in zip(known, projects, strict=True):
            for word in said:
                counts[word] += 1
                places.setdefault(word, set()).add(project)
        self.words = sorted(w for w in counts if counts[w] >= LEAST_PROMPTS and len(places[w]) >= LEAST_PROJECTS)
        names = [s.name for s in SIGNALS] + list(lengths(""))
        self.index = {name: n for n, name in enumerate(["", *names, *(f" {word}" for word in self.words)])}
        size = len(self.index)
        gram, right = [[0.0] * size for _ in range(size)], [0.0] * size
        for each, value in zip(known, wanted, strict=True):
            row = self._row(each)
            for i, x in row:
                right[i] += x * value
                line = gram[i]
                for j, y in row:
                    line[j] += x * y
        for n in range(1, size):
            gram[n][n] += RIDGE
        gram[0][0] += 1e-9
        self.weights = _solved(gram, right)

    def _row(self, known: tuple[Features, set[str]]) -> list[tuple[int, float]]:
        own, said = known
        row = [(0, 1.0), *((self.index[name], value) for name, value in own.items() if value)]
        return row + [(n, WORD) for word in said if (n := self.index.get(f" {word}")) is not None]

    def total(self, known: tuple[Features, set[str]]) -> float:
        return math.fsum(self.weights[n] * value for n, value in self._row(known))


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution of a symmetric, positive system, by Cholesky's decomposition."""
    size = len(right)
    lower = [[0.0] * (n + 1) for n in range(size)]
    for i in range(size):
        row = lower[i]
        for j in range(i + 1):
            other = lower[j]
            rest = matrix[i][j] - sum(map(float.__mul__, row[:j], other[:j]))
            row[j] = math.sqrt(rest) if i == j else rest / other[j]
    forward = list[float]()
    for i in range(size):
        forward.append((right[i] - math.fsum(map(float.__mul__, lower[i], forward))) / lower[i][i])
    solved = [0.0] * size
    for i in reversed(range(size)):
        solved[i] = (forward[i] - math.fsum(lower[k][i] * solved[k] for k in range(i + 1, size))) / lower[i][i]
    return solved


def auc(scores: Sequence[float], large: Sequence[bool]) -> float:
    """How often a large one has the higher score than a small one; ties count half."""
    order = sorted(range(len(scores)), key=lambda n: scores[n])
    ranks, at = [0.0] * len(scores), 0
    while at < len(order):
        end = at
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        for n in order[at:end]:
            ranks[n] = (at + end + 1) / 2
        at = end
    many = sum(large)
    return (sum(rank for rank, is_large in zip(ranks, large, strict=True) if is_large) - many * (many + 1) / 2) / (
        many * (len(large) - many)
    )


def left_out(rows: Sequence[dict[str, Any]], known: Sequence[tuple[Features, set[str]]]) -> list[float]:
    """Each prompt's score by weights that were fitted without its project."""
    projects, found = [row["project"] for row in rows], [0.0] * len(rows)
    for project in sorted(set(projects)):
        kept = [n for n, other in enumerate(projects) if other != project]
        fitted = Fitted([known[n] for n in kept], work([rows[n] for n in kept]), [projects[n] for n in kept])
        for n, other in enumerate(projects):
            if other == project:
                found[n] = fitted.total(known[n])
    return found


def outcomes(tasks: Sequence[dict[str, Any]]) -> list[Any]:
    """What each model made of each task."""
    held = (task["per_model"] for task in tasks)
    return [ast.literal_eval(models) if isinstance(models, str) else models for models in held]


def cost_at(tasks: Sequence[dict[str, Any]], scores: Sequence[float], kept: float = 0.97) -> float:
    """The share of the strong model's cost at which so many of its tasks are still solved, easiest to the cheap one first."""
    models = outcomes(tasks)
    solved, whole = sum(m[STRONG]["resolved"] for m in models), math.fsum(m[STRONG]["cost"] for m in models)
    now, cost, reached = float(solved), whole, 1.0
    for n in sorted(range(len(tasks)), key=lambda n: scores[n]):
        now += models[n][CHEAP]["resolved"] - models[n][STRONG]["resolved"]
        cost += models[n][CHEAP]["cost"] - models[n][STRONG]["cost"]
        if now < kept * solved:
            break
        reached = cost / whole
    return reached


def figures(rows: list[dict[str, Any]], tasks: list[dict[str, Any]], whole: Fitted) -> list[str]:
    known = [features(row["prompt"]) for row in rows]
    scores, sizes = left_out(rows, known), [float(len(row["prompt"])) for row in rows]
    clear = [n for n, row in enumerate(rows) if row["label"] != "medium"]
    lines = ["| small against large work | this scorer | prompt length |", "|---|---:|---:|"]
    kinds: list[tuple[str, list[int], Callable[[str], bool]]] = [
        ("trivial and small against large", clear, lambda label: label == "large"),
        (
            "trivial and small against medium and large",
            list(range(len(rows))),
            lambda label: label in ("medium", "large"),
        ),
    ]
    for name, which, large in kinds:
        is_large = [large(rows[n]["label"]) for n in which]
        ours, size = (auc([values[n] for n in which], is_large) for values in (scores, sizes))
        lines.append(f"| {name}, AUC | {ours:.3f} | {size:.3f} |")
    told = [whole.total(features(task["prompt"])) for task in tasks]
    by_size = [float(len(task["prompt"])) for task in tasks]
    lines.append(f"| 97 % of what the strong model solves, at so much of its cost | {cost_at(tasks, told):.0%} | "
                 f"{cost_at(tasks, by_size):.0%} |")  # fmt: skip
    models = outcomes(tasks)
    solves = {name: sum(m[name]["resolved"] for m in models) for name in (STRONG, CHEAP)}
    costs = {name: math.fsum(m[name]["cost"] for m in models) for name in (STRONG, CHEAP)}
    # Whoever knew the outcome would ask the strong model only for what it alone solves.
    oracle = [float(m[STRONG]["resolved"] and not m[CHEAP]["resolved"]) for m in models]
    chosen = [STRONG if strong else CHEAP for strong in oracle]
    best = math.fsum(m[name]["cost"] for m, name in zip(models, chosen, strict=True))
    solved = sum(m[name]["resolved"] for m, name in zip(models, chosen, strict=True))
    lines += ["", f"Of those {len(tasks)} tasks, always the strong model solves {solves[STRONG]}, always the cheap one "
              f"{solves[CHEAP]} at {costs[CHEAP] / costs[STRONG]:.0%} of the cost; whoever knew the outcome beforehand "
              f"would solve {solved} at {best / costs[STRONG]:.0%}."]  # fmt: skip
    return lines


def main() -> None:
    given = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    rows, tasks = ([json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in given)
    known = [features(row["prompt"]) for row in rows]
    whole = Fitted(known, work(rows), [row["project"] for row in rows])
    table = figures(rows, tasks, whole)
    print("\n".join(table))
    if "--write" not in sys.argv:
        return
    totals = sorted(whole.total(each) for each in known)
    middle, spread = totals[len(totals) // 2], (totals[len(totals) * 9 // 10] - totals[len(totals) // 10]) / 4
    own = {name: round(whole.weights[n], 4) for name, n in whole.index.items()}
    data = {
        "bias": own[""],
        "middle": round(middle, 4),
        "spread": round(spread, 4),
        "tiers": {
            tier: round(1 / (1 + math.exp(-(totals[int(len(totals) * share)] - middle) / spread)), 3)
            for tier, share in TIERS.items()
        },
        "lengths": {name: own[name] for name in lengths("")},
        "signals": {signal.name: own[signal.name] for signal in SIGNALS},
        "words": {word: own[f" {word}"] for word in whole.words},
    }
    WEIGHTS.write_text(json.dumps(data, indent=1) + "\n")
    if DOCUMENT.exists():
        text = DOCUMENT.read_text("utf-8")
        before, rest = text.split(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n" + "\n".join(table) + f"\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
