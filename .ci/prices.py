"""Build the price table from published ones: `python .ci/prices.py LITELLM_WHEEL GENAI_WHEEL OUT.json`.

Idea: litellm's wheel carries a JSON of some 4000 models at 100 providers. A coding tool's user meets
few of them, so this keeps the text models sold by the token at the vendors' own APIs (VENDORS) and, in
tables of their own, at clouds (CLOUDS), whose names and prices are others, in a file of one model per line
that can be read, diffed and corrected by hand. Fetch newer wheels
(`pip download --no-deps litellm genai-prices`), run this again on lynkr/ledger/prices.json and read the diff.

Rules
- A key is the bare id that the vendor's API takes: the "gemini/" of litellm's own ids goes. At a cloud it is
  the cloud's name of the model; where a region has a price of its own, that region and "/" stand before it.
- Figures are USD per million tokens, reckoned in decimal so that no float noise gets in.
- Nothing is invented: a field that the source lacks is left out. It is for the reader to say what
  that means (litellm, too: a cache read or write without a price costs what plain input costs).
- `tiers`, lowest first: when the prompt, cached tokens included, is longer than `above`, every token
  of that request, output too, has the tier's price, and the base price where the tier gives none.
- A cache write of 0 beside a paid input is left out: it stands at vendors whose cache fills by itself
  (DeepSeek, Z.ai), where a token that fills it is billed as plain input, not free.
- `regional`: what Vertex multiplies every rate with in any region but "global".
- Ignored: batch, flex, priority and other service tiers, the makers' own regional surcharges, time-of-day
  discounts, prices of audio, images and searches. Models retired before RETIRED_BEFORE are dropped.
- `--date` is the day from which the prices are, that is the wheel's release; without it, today.

A second table, of the genai-prices package, adds the models that the first does not have yet (ADDED) and corrects
those whose vendor has changed a price since (CORRECTED); these lists are kept by hand, so that every difference has
been looked at. ADDED_AT does the same for clouds. `--compare` prints each figure on which the two differ. Its data
are Python, and are read as a syntax tree, never run.
"""

import argparse
import ast
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
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

_REGION = r"[a-z]{2}(?:-gov)?-[a-z]+-\d/"
_GEOGRAPHY = r"(?:global|us|us-gov|eu|apac|au|jp|in)\."
_CLAUDE = r"claude-(opus|sonnet|haiku|fable|mythos)-"
_GEMINI = VENDORS["gemini"]
# Bedrock's runtime sells Claude by inference profile, whose geography makes the price; litellm's rows of bare names,
# which it refuses (but those of a government region), are another endpoint's: Mantle's, which come first.
_RUNTIME = (
    rf"{_GEOGRAPHY}anthropic\.{_CLAUDE}|us-gov-[a-z]+-\d/anthropic\.{_CLAUDE}.*:0$|anthropic\.claude-mythos-preview$"
    rf"|(?:{_REGION})?(?:{_GEOGRAPHY})?(?:amazon\.nova-(?!.*sonic)|deepseek\.v|minimax\.|mistral\.(devstral|mistral-large-3)"
    r"|moonshot(ai)?\.kimi-|nvidia\.nemotron-(super|nano-3)|openai\.gpt-|qwen\.qwen3-|xai\.grok-|zai\.glm-|meta\.llama4)"
)
# lynkr's provider -> (litellm's, what stands before its ids, the names to keep), the one whose rows count first.
CLOUDS = {
    "bedrock": (
        ("bedrock_mantle", "bedrock_mantle/", r""),
        ("bedrock_converse", "bedrock/", _RUNTIME),
        ("bedrock", "bedrock/", _RUNTIME),
    ),
    "databricks": (("databricks", "databricks/", r"databricks-"),),
    "vertex": (
        ("vertex_ai-anthropic_models", "vertex_ai/", _CLAUDE),
        ("vertex_ai", "vertex_ai/", _GEMINI),
        ("vertex_ai-language-models", "vertex_ai/", _GEMINI),
    ),
}

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
# Provider -> ids.
Lists = dict[str, tuple[str, ...]]
# Bare id -> provider and prices.
Models = dict[str, tuple[str, Rates]]


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
    # What only a tier has a rate for (Gemini's cache writes, which it never counts) is left out.
    rates = {(above, field): rate for (above, field), rate in rates.items() if (0, field) in rates}
    if row["litellm_provider"].startswith("vertex_ai") and (uplift := row.get("regional_endpoint_uplift_multiplier")):
        rates[0, "regional"] = uplift
    return rates


def wanted(provider: str, names: str, model: str, row: dict[str, Any]) -> bool:
    """Whether a row is a text model of this provider, of such a name, sold by the token and not retired."""
    return (
        row.get("litellm_provider") == provider
        and row.get("mode") in MODES
        and {"input_cost_per_token", "output_cost_per_token"} <= row.keys()
        and row.get("deprecation_date", RETIRED_BEFORE) >= RETIRED_BEFORE
        and re.match(names, model) is not None
        and NOT_FOR_CODING.search(model) is None
    )


def select(table: dict[str, dict[str, Any]], sources: Iterable[tuple[str, str, str]]) -> Models:
    """The models of litellm's providers, each with its prefix and names. Of two rows for one id the first stands."""
    models: Models = {}
    for provider, prefix, names in sources:
        # litellm lists some models twice; the row under the provider's own prefix goes first.
        for key in sorted(table, key=lambda k: (not k.startswith(prefix), k)):
            row, model = table[key], key.removeprefix(prefix)
            if not wanted(provider, names, model, row):
                continue
            if "tiered_pricing" in row:
                raise SystemExit(f"{key}: tiered_pricing is not supported yet")
            entry = (provider, rates_of(row))
            if models.setdefault(model, entry)[1] != entry[1]:
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
        for field in (*FIELDS.values(), "regional"):
            if (above, field) in rates:
                level[field] = figure(rates[above, field])
    entry = levels.pop(0)
    return entry | {"tiers": list(levels.values())} if levels else entry


def render(source: str, day: str, models: Models, clouds: dict[str, Models]) -> str:
    """The JSON text: one model per line, sorted by id; the makers' and then each cloud's."""
    head = {"schema": 1, "date": day, "source": source, "unit": "USD per million tokens"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()]
    own = rows({model: entry_of(*entry) for model, entry in models.items()})
    # Whose table it is says enough; the provider here is litellm's.
    kept = {
        cloud: rows({m: {k: v for k, v in entry_of(*entry).items() if k != "provider"} for m, entry in found.items()})
        for cloud, found in sorted(clouds.items())
    }
    parts = ",\n".join(f'"{cloud}": {{\n{text}\n}}' for cloud, text in kept.items())
    return "{\n" + "".join(lines) + f'"models": {{\n{own}\n}},\n"clouds": {{\n{parts}\n}}\n}}\n'


def rows(entries: dict[str, Any]) -> str:
    """The inside of a JSON object, a line for each entry."""
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries))


def read_member(wheel: Path, path: str) -> str:
    """The text of one file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(path).decode()


# --- comparison with genai-prices -------------------------------------------------------------

# Looked at on 2026-11-21: in genai-prices 0.2.3 and not in litellm 1.109.1 under the vendor's own API.
ADDED: Lists = {
    "anthropic": ("claude-fable-5-2", "claude-mythos-5-2"),
    "openai": ("gpt-6-cyber",),
    "moonshot": ("kimi-k3.1-pro-highspeed", "kimi-k2.7-code-highspeed"),
    "minimax": ("MiniMax-M2.7", "MiniMax-M2.7-highspeed", "MiniMax-M3.1-Flash"),
}
# The vendor's page has listed the new price since 2026-10-29.
CORRECTED: Lists = {"mistral": ("mistral-large-4", "mistral-large-4-0")}
# At clouds. Bare names at Bedrock are Mantle's: genai-prices has the region's price for them, as litellm has for those
# of Mantle that it lists (but Haiku 4.5's).
ADDED_AT: Lists = {
    "bedrock": (
        *(
            f"anthropic.claude-{name}"
            for name in ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "fable-5", "fable-5-1")
        ),
        *(
            f"{before}anthropic.claude-{name}"
            for before in ("", "global.", "us.")
            for name in ("fable-5-2", "mythos-5-2")
        ),
        *("global.moonshotai.kimi-k3.1", "us.moonshotai.kimi-k3.1"),
    ),
    "databricks": ("databricks-kimi-k2-7-code",),
}
GENAI_NAMES = {"gemini": "google", "moonshot": "moonshotai", "xai": "x-ai", "bedrock": "aws"}
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


def complete(models: Models, added: Lists, corrected: Lists, known: Known, day: date) -> None:
    """Adds what the first table lacks and takes over what is newer in the second."""
    for names in (added, corrected):
        for provider, wanted_ids in names.items():
            for model in wanted_ids:
                rates = genai_find(known, provider, model, day)
                if rates is None or (names is added) == (model in models):
                    raise SystemExit(f"{model}: look at the lists of names again, the tables have changed")
                models[model] = (provider, rates)


def compare(models: Models, known: Known, day: date) -> None:
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
    listed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    known = genai_table(args.genai)
    models = select(listed, ((provider, provider + "/", names) for provider, names in VENDORS.items()))
    complete(models, ADDED, CORRECTED, known, day)
    clouds = {cloud: select(listed, sources) for cloud, sources in CLOUDS.items()}
    for cloud, found in clouds.items():
        complete(found, {cloud: ADDED_AT.get(cloud, ())}, {}, known, day)
    versions = [wheel.name.split("-")[1] for wheel in (args.wheel, args.genai)]
    source = f"litellm {versions[0]} and genai-prices {versions[1]} (both MIT)"
    args.out.write_text(render(source, day.isoformat(), models, clouds), encoding="utf-8")
    counts = Counter(provider for provider, _ in models.values())
    print(f"{len(models)} models:", ", ".join(f"{p} {n}" for p, n in counts.items()))
    print("at clouds:", ", ".join(f"{cloud} {len(found)}" for cloud, found in clouds.items()))
    if args.compare:
        compare(models, known, day)


if __name__ == "__main__":
    main()
