"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

MINUS = "\u2212"
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SCALES = ((1e12, "T", "trillion"), (1e9, "B", "billion"), (1e6, "M", "million"))


def money(amount: float) -> str:
    """USD without cents; an amount that is not 0 never reads as 0."""
    whole = f"{abs(amount):,.0f}"
    if whole == "0":
        return "$0" if amount == 0 else "under $1" if amount > 0 else f"above {MINUS}$1"
    return f"{MINUS}${whole}" if amount < 0 else f"${whole}"


def about(amount: float) -> str:
    """USD in words, with three digits from a million up."""
    for scale, _, word in SCALES:
        if abs(amount) >= scale:
            sign = MINUS if amount < 0 else ""
            return f"{sign}${_digits(abs(amount) / scale)} {word}"
    return money(amount)


def short(amount: float) -> str:
    """USD with three digits from a million up, for charts and tiles."""
    for scale, letter, _ in SCALES:
        if abs(amount) >= scale:
            return f"{MINUS if amount < 0 else ''}${_digits(abs(amount) / scale)}{letter}"
    return money(amount)


def _digits(value: float) -> str:
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def price(value: float) -> str:
    """A USD price with five significant digits or a little more."""
    if value >= 10_000:
        return f"${value:,.0f}"
    if value >= 10:
        return f"${value:,.2f}"
    return f"${value:#.5g}" if value >= 0.001 or value == 0 else f"${value:.4g}"


def count(value: int) -> str:
    """A whole number with thousands set apart."""
    return f"{value:,}"


def percent(share: float, places: int = 1, *, signed: bool = False) -> str:
    """A share as a percentage."""
    text = f"{abs(share) * 100:,.{places}f}"
    if not float(text.replace(",", "")):
        return f"{text}%"
    return f"{MINUS if share < 0 else '+' if signed else ''}{text}%"


def ratio(value: float | None) -> str:
    """A ratio with three places; a dash where it is undefined."""
    return "\u2013" if value is None else f"{value:.3f}".replace("-", MINUS)


def plural(number: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def times(number: int) -> str:
    """How often: never, once, 3 times."""
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{count(number)} times")


def duration(seconds: int) -> str:
    """A time span in the largest unit that suits it."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * unit or (seconds >= unit and seconds % unit == 0):
            amount = seconds / unit
            text = f"{amount:.0f}" if amount == round(amount) or amount >= 20 else f"{amount:.1f}"
            return f"{text} {name}{'' if text == '1' else 's'}"
    return plural(seconds, "second")


def moment(epoch: int) -> str:
    """A point in time, UTC."""
    when = datetime.fromtimestamp(epoch, UTC)
    clock = f"{when:%H:%M}" if when.second == 0 else f"{when:%H:%M:%S}"
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}, {clock} UTC"
