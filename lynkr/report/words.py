"""Figures as people read them."""

from __future__ import annotations


def tokens(count: int) -> str:
    """812, 20.3k, 1.84M: three digits."""
    if count < 1000:
        return str(count)
    scaled, unit = (count / 1000, "k") if count < 999_500 else (count / 1_000_000, "M")
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f}{unit}"


def usd(amount: float | None) -> str:
    """$1.92; more digits where there would be none but zeros; a dash where it is not known."""
    if amount is None:
        return "–"
    if amount == 0:
        return "$0.00"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size < 0.00005:
        return f"{sign}<$0.0001"
    return f"{sign}${size:.2f}" if size >= 0.99995 else f"{sign}${size:.4f}"


def share(part: int, whole: int) -> str:
    """A percentage; 100 % only where it is all, 0 % only where it is nothing."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1%"
    return f"{min(99, round(percent)) if part < whole else 100}%"


def duration(seconds: float) -> str:
    """4.2 s, 13 min 32 s, 2 h 5 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def milliseconds(ms: float | None) -> str:
    """420 ms, 2.1 s."""
    if ms is None:
        return "–"
    if 0 < ms < 0.5:
        return "<1 ms"
    return f"{ms:.0f} ms" if ms < 999.5 else f"{ms / 1000:.1f} s"


def plural(count: int, word: str) -> str:
    """1 request, 2 requests."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def priced_at(prices_date: str) -> str:
    """What every sum of money rests on."""
    return f"List prices of {prices_date}; a subscription is billed by its plan, not by these."


def minute(at: str) -> str:
    """A moment (RFC 3339) to the minute, as people write it."""
    return at[:16].replace("T", " ")
