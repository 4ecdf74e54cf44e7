"""Build the price table from published ones: `python .ci/prices.py LITELLM_WHEEL GENAI_WHEEL OUT.json`.

Idea: litellm's wheel carries a JSON of some 4000 models at 100 providers. A coding tool's user meets
few of them, so this keeps the text models sold by the token at the vendors' own APIs (VENDORS), in a
file of one model per line that can be read, diffed and corrected by hand. Fetch newer wheels
(`pip download --no-deps litellm genai-prices`), run this again on lynkr/ledger/prices.json and read the diff.

Rules
- A key is the bare id that the vendor's API takes: the "gemini/" of litellm's own ids goes.
- Figures are USD per million tokens, reckoned in decimal so that no float noise gets in.
- Nothing is invented: a field that the source lacks is left out. It is for the reader to say what
  that means (litellm, too: a cache read or write without a price costs what plain input costs).
- `tiers`, lowest first: when the prompt, cached tokens included, is longer than `above`, every token
  of that request, output too, has the tier's price, and the base price where the tier gives none.
- A cache write of 0 beside a paid input is left out: it stands at vendors whose cache fills by itself
  (DeepSeek, Z.ai), where a token that fills it is billed as plain input, not free.
- Ignored: batch, flex, priority and other service tiers, regional surcharges, time-of-day discounts,
  prices of audio, images and searches. Models retired before RETIRED_BEFORE are dropped.
- `--date` is the day from which the prices are, that is the wheel's release; without it, today.

A second table, of the genai-prices package, adds the models that the first does not have yet (ADDED) and corrects
those whose vendor has changed a price since (CORRECTED); both lists are kept by hand, so that every difference has
been looked at. `--compare` prints each figure on which the two differ. Its data are Python, and are read as a syntax
tree, never run.
"""

import argparse
import ast
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

SOURCE = "model_prices_and_context_window"
RETIRED_BEFORE = "2026-01-01"
MODES = {"chat", "responses"}
MILLION = 10**6

# litellm's provider -> the bare ids to keep. Whoever only hosts others' models comes last.
VENDORS = {
    "anthropic": r"claude-",
    "openai": r"gpt-4\.1|gpt-4o|gpt-[56]|o[34]|codex-",
    "gemini": r"gemini-(2\.5|[34])",
    "deepseek": r"deepseek-",
    "moonshot": r"kimi-",
    "zai": r"glm-",
    "minimax": r"MiniMax-",
    "xai": r"grok-",
    "mistral": r"mistral-(large|medium|small|code|vibe)|codestral-|devstral-",
    "groq": r"",
}
NOT_FOR_CODING = re.compile(r"audio|tts|live|image|search|computer-use|guard")

FIELDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
}
# Who charges the dearer tier already at the threshold, not first above it (litellm's own calculator).
AT_THRESHOLD = {"xai"}

# Only a bare field or a bare field's prompt-length tier: a suffix such as _batches does not match.
PRICE_KEY = re.compile(rf"({'|'.join(FIELDS)})(?:_above_(\d+)(k?)_tokens)?")

# (prompt tokens above which it holds, field) -> USD per million tokens; 0 is the base price.
Rates = dict[tuple[int, str], Decimal]


def rates_of(row: dict[str, Any]) -> Rates:
    """The prices in one of litellm's rows."""
    rates: Rates = {}
    for key, value in row.items():
        found = PRICE_KEY.fullmatch(key)
        if found and value is not None:
            name, above, thousand = found.groups()
            tokens = int(above or 0) * (1000 if thousand else 1)
            if tokens and row["litellm_provider"] in AT_THRESHOLD:
                tokens -= 1
            rates[tokens, FIELDS[name]] = Decimal(value) * MILLION
    if rates.get((0, "cache_write")) == 0 != rates.get((0, "input")):
        del rates[0, "cache_write"]
    return rates


def wanted(provider: str, model: str, row: dict[str, Any]) -> bool:
    """Whether a row is a text model of this vendor, sold by the token and not retired."""
    return (
        row.get("litellm_provider") == provider
        and row.get("mode") in MODES
        and {"input_cost_per_token", "output_cost_per_token"} <= row.keys()
        and row.get("deprecation_date", RETIRED_BEFORE) >= RETIRED_BEFORE
        and re.match(VENDORS[provider], model) is not None
        and NOT_FOR_CODING.search(model) is None
    )


def select(table: dict[str, dict[str, Any]]) -> dict[str, tuple[str, Rates]]:
    """Bare id -> provider and prices. Of two rows for one id the first vendor's stands."""
    models: dict[str, tuple[str, Rates]] = {}
    for provider in VENDORS:
        prefix = provider + "/"
        # litellm lists some models twice; the row under the provider's own prefix goes first.
        for key in sorted(table, key=lambda k: (not k.startswith(prefix), k)):
            row, model = table[key], key.removeprefix(prefix)
            if not wanted(provider, model, row):
                continue
            if "tiered_pricing" in row:
                raise SystemExit(f"{key}: tiered_pricing is not supported yet")
            entry = (provider, rates_of(row))
            if models.setdefault(model, entry) != entry:
                print(f"{key}: another price than {models[model][0]}'s; left out", file=sys.stderr)
    return models


def figure(value: Decimal) -> int | float:
    """A number that json writes in the same digits."""
    return int(value) if value == value.to_integral_value() else float(value)


def entry_of(provider: str, rates: Rates) -> dict[str, Any]:
    """A model's entry in the output: base prices, then tiers."""
    levels: dict[int, dict[str, Any]] = {0: {"provider": provider}}
    for above in sorted({above for above, _ in rates}):
        level = levels.setdefault(above, {"above": above})
        for field in FIELDS.values():
            if (above, field) in rates:
                level[field] = figure(rates[above, field])
    entry = levels.pop(0)
    return entry | {"tiers": list(levels.values())} if levels else entry


def render(source: str, day: str, models: dict[str, tuple[str, Rates]]) -> str:
    """The JSON text: one model per line, sorted by id."""
    head = {"schema": 1, "date": day, "source": source, "unit": "USD per million tokens"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()]
    rows = [f"  {json.dumps(m)}: {json.dumps(entry_of(*models[m]))}" for m in sorted(models)]
    return "{\n" + "".join(lines) + '"models": {\n' + ",\n".join(rows) + "\n}\n}\n"


def read_member(wheel: Path, path: str) -> str:
    """The text of one file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(path).decode()


# --- comparison with genai-prices -------------------------------------------------------------

# Looked at on 2026-11-21: in genai-prices 0.2.3 and not in litellm 1.109.1 under the vendor's own API.
ADDED = {
    "anthropic": ("claude-fable-5-2", "claude-mythos-5-2"),
    "openai": ("gpt-6-cyber",),
    "moonshot": ("kimi-k3.1-pro-highspeed", "kimi-k2.7-code-highspeed"),
    "minimax": ("MiniMax-M2.7", "MiniMax-M2.7-highspeed", "MiniMax-M3.1-Flash"),
}
# The vendor's page has listed the new price since 2026-10-29.
CORRECTED = {"mistral": ("mistral-large-4", "mistral-large-4-0")}
GENAI_NAMES = {"gemini": "google", "moonshot": "moonshotai", "xai": "x-ai"}
GENAI_FIELDS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
}


def literal(node: ast.expr) -> Any:
    """A data expression's value; a call is a dict of its arguments with the callee under "is"."""
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    if not isinstance(node, ast.Call):
        return node.value if isinstance(node, ast.Constant) else None
    name = ast.unparse(node.func)
    if name == "Decimal":
        return Decimal(literal(node.args[0]))
    if name == "datetime.date":
        return date(*[literal(arg) for arg in node.args])
    return {"is": name} | {str(k.arg): literal(k.value) for k in node.keywords}


def matches(clause: dict[str, Any], model: str) -> bool:
    """Whether a genai-prices match clause takes this id."""
    (kind, arg), *_ = [(k, v) for k, v in clause.items() if k != "is"]
    if kind in ("or_", "and_"):
        return (any if kind == "or_" else all)(matches(c, model) for c in arg)
    tests = {
        "equals": model == arg,
        "starts_with": model.startswith(str(arg)),
        "ends_with": model.endswith(str(arg)),
        "contains": str(arg) in model,
    }
    return tests[kind] if kind in tests else re.search(arg, model) is not None


def current(prices: Any, day: date) -> dict[str, Any]:
    """The price set in force on a day; of a price by the hour, the last one listed (the peak)."""
    if isinstance(prices, dict):
        return prices
    started = [p for p in prices if (p.get("constraint") or {}).get("start_date", day) <= day]
    return dict(started[-1]["prices"])


def genai_rates(prices: dict[str, Any]) -> Rates:
    """A genai-prices price set in our form."""
    rates: Rates = {}
    for name, field in GENAI_FIELDS.items():
        value = prices.get(name)
        if isinstance(value, dict):
            rates |= {(tier["start"], field): tier["price"] for tier in value["tiers"]}
            value = value["base"]
        if value is not None:
            rates[0, field] = value
    return rates


def differences(ours: Rates, theirs: Rates) -> Iterator[str]:
    """One text for each figure that is not the same on both sides."""
    for above, field in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get((above, field)), theirs.get((above, field))
        if a != b:
            shown = ["none" if x is None else str(figure(x)) for x in (a, b)]
            yield f"{field}{f' above {above}' if above else ''}: {shown[0]}, genai {shown[1]}"


Known = dict[str, list[dict[str, Any]]]


def genai_table(wheel: Path) -> Known:
    """Provider -> the rows of genai-prices."""
    tree = ast.parse(read_member(wheel, "genai_prices/data.py"))
    (data,) = [n.value for n in tree.body if isinstance(n, ast.AnnAssign) and n.value]
    return {provider["id"]: provider["models"] for provider in literal(data)}


def genai_find(known: Known, provider: str, model: str, day: date) -> Rates | None:
    """What genai-prices has for one model."""
    rows = known.get(GENAI_NAMES.get(provider, provider), [])
    hits = [r for r in rows if r["id"] == model] or [r for r in rows if matches(r["match"], model)]
    return genai_rates(current(hits[0]["prices"], day)) if hits else None


def complete(models: dict[str, tuple[str, Rates]], known: Known, day: date) -> None:
    """Adds ADDED and takes over CORRECTED."""
    for names in (ADDED, CORRECTED):
        for provider, wanted_ids in names.items():
            for model in wanted_ids:
                rates = genai_find(known, provider, model, day)
                if rates is None or (names is ADDED) == (model in models):
                    raise SystemExit(f"{model}: look at ADDED and CORRECTED again, the tables have changed")
                models[model] = (provider, rates)


def compare(models: dict[str, tuple[str, Rates]], known: Known, day: date) -> None:
    """Print to stderr where genai-prices has another figure, and what it does not know."""
    seen = Counter[str]()
    for model, (provider, ours) in sorted(models.items()):
        theirs = genai_find(known, provider, model, day)
        found = list(differences(ours, theirs)) if theirs is not None else ["unknown to genai-prices"]
        seen["are unknown to genai-prices" if theirs is None else "differ" if found else "agree"] += 1
        for text in found:
            print(f"{model} ({provider}): {text}", file=sys.stderr)
    print(f"{len(models)} models:", ", ".join(f"{n} {o}" for o, n in seen.items()), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the price table from the wheels of two published ones.")
    parser.add_argument("wheel", type=Path, metavar="LITELLM_WHEEL")
    parser.add_argument("genai", type=Path, metavar="GENAI_WHEEL")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--date", type=date.fromisoformat, metavar="YYYY-MM-DD", help="day of the prices")
    parser.add_argument("--compare", action="store_true", help="print where the two tables differ")
    args = parser.parse_args()
    day = args.date or datetime.now(UTC).date()
    text = read_member(args.wheel, f"litellm/{SOURCE}_backup.json")
    models = select(json.loads(text, parse_float=Decimal, parse_int=Decimal))
    known = genai_table(args.genai)
    complete(models, known, day)
    versions = [wheel.name.split("-")[1] for wheel in (args.wheel, args.genai)]
    source = f"litellm {versions[0]} and genai-prices {versions[1]} (both MIT)"
    args.out.write_text(render(source, day.isoformat(), models), encoding="utf-8")
    counts = Counter(provider for provider, _ in models.values())
    print(f"{len(models)} models:", ", ".join(f"{p} {n}" for p, n in counts.items()))
    if args.compare:
        compare(models, known, day)


if __name__ == "__main__":
    main()
