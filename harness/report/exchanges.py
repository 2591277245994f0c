"""The section on perpetual exchanges: what they closed, who paid, and who gained."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import Line, TimeAxis, TimeChart, legend, money_labels, percent_labels
from harness.report.data import ExchangePath, Run
from harness.report.figures import count, money, percent
from harness.report.layout import Section, chart_figure, indented, over_time
from harness.report.markup import Content, Markup, element, join, table
from harness.report.sentences import figure_of

_STYLES = ("run", "feed", "path", "twin")


def exchanges(run: Run) -> Section:
    """Each exchange of the run."""
    title = "Perpetual exchanges"
    found = run.summary["exchanges"]
    if not found:
        return Section("exchanges", title, element("p", "The scenario has no perpetual exchange."))
    parts: list[Content] = [
        element(
            "p",
            "Traders have positions against a vault, margined by their equity. Below the call "
            "margin an account is called, below the maintenance margin its positions are closed, "
            "and near the end of its equity it is taken over whole, by the insurance fund or by "
            "the vault.",
        )
    ]
    for name in found:
        parts += _exchange(run, name)
    return Section("exchanges", title, join(parts))


def _exchange(run: Run, name: str) -> list[Content]:
    path = run.exchanges[name]
    return [
        element("h3", name),
        _outcome(run, name),
        _premiums(run, name, path),
        _funds(run, name, path),
        _closed(run, name),
        _gains(run, name),
    ]


def _outcome(run: Run, name: str) -> Markup:
    base = f"exchanges.{name}"
    figures = run.summary["exchanges"][name]

    def usd(path: str, value: float) -> Markup:
        return figure_of(run, f"{base}.{path}", money(value))

    fund, losses = figures["insurance_fund"], figures["losses_usd"]
    rows: list[tuple[Content, Content]] = [
        ("Margin calls", figure_of(run, f"{base}.margin_calls.count")),
        (
            indented("after which the account was back above"),
            _of(run, base, "margin_calls.restored"),
        ),
        (indented("during which it was liquidated"), _of(run, base, "margin_calls.liquidated")),
        (indented("that ended in a takeover"), _of(run, base, "margin_calls.taken_over")),
        ("Liquidations of a part of a position", _of(run, base, "liquidations.partial")),
        ("Liquidations of a whole position", _of(run, base, "liquidations.whole")),
        ("Takeovers", _of(run, base, "liquidations.takeover")),
        ("Insurance fund at the start", usd("insurance_fund.start_usd", fund["start_usd"])),
        ("Insurance fund, lowest", usd("insurance_fund.low_usd", fund["low_usd"])),
        ("Insurance fund at the end", usd("insurance_fund.end_usd", fund["end_usd"])),
        ("Losses paid by the insurance fund", usd("losses_usd.insurance", losses["insurance"])),
        ("Losses paid by the vault", usd("losses_usd.vault", losses["vault"])),
        ("Losses that nobody has paid", usd("losses_usd.deficit", losses["deficit"])),
        ("Trading fees", usd("trading_fees_usd", figures["trading_fees_usd"])),
        ("Funding paid", usd("funding_usd", figures["funding_usd"])),
    ]
    return table(f"exchange-{name}", f"{name}: what happened", ("", "Run"), rows)


def _of(run: Run, base: str, path: str) -> Markup:
    return figure_of(run, f"{base}.{path}")


def _premiums(run: Run, name: str, path: ExchangePath) -> Markup:
    """How far mark prices were from the index."""
    lines = [
        Line(symbol, values, _STYLES[place % len(_STYLES)])
        for place, (symbol, values) in enumerate(path.premiums.items())
    ]
    chart = TimeChart(
        f"premium-{name}",
        f"{name}: mark price over index",
        "Below zero, closed longs have left more open interest short than long.",
        TimeAxis(run.times),
        percent_labels,
        lines=lines,
    )
    columns = [(line.name, [_share(value) for value in line.values]) for line in lines]
    return chart_figure(
        "Mark price over index price",
        "A moving average of the net open interest in relation to the market's skew scale.",
        legend([("line", line.style, line.name) for line in lines]),
        chart.svg(),
        over_time(run, f"premium-{name}-table", f"{name}: mark over index", columns),
    )


def _share(value: float | None) -> str:
    return "\u2013" if value is None else percent(value, 2, signed=True)


def _funds(run: Run, name: str, path: ExchangePath) -> Markup:
    lines = [Line("Insurance fund", path.insurance, "run")]
    chart = TimeChart(
        f"fund-{name}",
        f"{name}: equity of the insurance fund",
        "In USD at the outside price of the settlement token.",
        TimeAxis(run.times),
        money_labels,
        lines=lines,
    )
    columns = [
        ("Insurance fund", _money(path.insurance)),
        ("Vault", _money(path.vault)),
    ]
    return chart_figure(
        "Equity of the insurance fund, USD",
        None,
        None,
        chart.svg(),
        over_time(run, f"fund-{name}-table", f"{name}: insurance fund and vault", columns),
    )


def _money(values: Sequence[float | None]) -> list[str]:
    return ["\u2013" if value is None else money(value) for value in values]


def _closed(run: Run, name: str) -> Markup:
    rows = [
        (symbol, money(closed["total"]), money(closed["healthy_alone"]))
        for symbol, closed in run.summary["exchanges"][name]["closed_usd"].items()
    ]
    head = ("Market", "Closed in liquidations", "of it in positions healthy alone")
    caption = (
        f"{name}: notional closed by market. Healthy alone: with no more than the initial margin "
        "behind it the position would have been kept"
    )
    return table(f"closed-{name}", caption, head, rows)


def _gains(run: Run, name: str) -> Markup:
    gains = run.summary["exchanges"][name]["pnl_usd"]
    ordered = sorted(gains.items(), key=lambda entry: -entry[1])
    rows = [(_role(run, role), money(amount)) for role, amount in ordered]
    caption = (
        f"{name}: what each role gained, tokens at the last outside prices and unrealised profits "
        "together; of every token the changes add up to zero"
    )
    return table(f"gains-{name}", caption, ("Role", "Gain"), rows)


def _role(run: Run, role: str) -> str:
    number = next((a.count for a in run.scenario.agents if a.name == role), 1)
    return f"{role} ({count(number)})" if number > 1 else role
