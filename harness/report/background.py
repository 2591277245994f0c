"""Sections on what the run rests on: setting, assumptions, limitations, sources, manifest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.report.data import Run
from harness.report.figures import about, count, duration, moment, percent, plural, price
from harness.report.layout import Section
from harness.report.markup import (
    Content,
    Markup,
    bullets,
    details,
    element,
    join,
    linked,
    paragraphs,
    table,
)
from harness.report.sentences import GLOSSARY
from harness.report.waterfall import STEP_NAMES
from harness.scenario import (
    WAD,
    Borrowers,
    Lending,
    Liquidator,
    Pool,
    PooledLending,
    Positions,
    Traders,
)
from harness.testing.catalogue import SENTENCES

_LONGEST_LINE = 400


def setting(run: Run) -> Section:
    """What was simulated."""
    scenario = run.scenario
    clock, space = scenario.clock, scenario.block_space
    bid = space.background_bid_gwei
    parts: list[Content] = [paragraphs(scenario.description)]
    parts.append(
        element(
            "p",
            f"{plural(clock.blocks, 'block')} of {duration(clock.seconds_per_block)} hold "
            f"{count(space.gas_limit)} gas each for the participants; ordered by {space.ordering}; "
            f"a transaction expires after {plural(space.expiry_blocks, 'block')}; fees are paid in "
            f"{space.fee_asset}" + ("." if bid else ", and nobody else bids for space."),
        )
    )
    parts += [_assets(run), _pools(run), *_markets(run), _other_venues(run)]
    parts += [_borrowers(run), _traders(run), _liquidators(run)]
    text = "\n".join(_shortened(line) for line in run.scenario_text.splitlines())
    parts.append(
        details("The scenario file, with everything the run depends on", element("pre", text))
    )
    return Section("setting", "Setting", join(parts))


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]} \u2026 ({count(len(line) - _LONGEST_LINE)} characters more)"


def _assets(run: Run) -> Markup:
    rows: list[Sequence[Content]] = []
    for asset in run.scenario.assets:
        outside, feed = asset.external, asset.feed
        rows.append(
            (
                asset.symbol,
                asset.price.kind_name,
                price(run.prices[asset.symbol].path[0]),
                "no outside market" if outside is None else about(outside.depth_2pct_usd),
                "none" if feed is None else feed.kind_name,
            )
        )
    head = ("Asset", "Price process", "At the start", "Depth within 2%", "Feed")
    return table("assets", "Assets", head, rows, text_columns=(0, 1, 4))


def _pools(run: Run) -> Markup | None:
    rows = [
        (
            pool.name,
            f"{pool.base}/{pool.quote}",
            f"{pool.base_reserve:,.10g} {pool.base}",
            percent(pool.fee_pips / 1_000_000, 2),
        )
        for pool in run.scenario.venues_of(Pool)
    ]
    head = ("Pool", "Pair", "Reserve at the start", "Fee")
    return table("pools", "Pools", head, rows, text_columns=(0, 1)) if rows else None


def _markets(run: Run) -> list[Markup]:
    tables = []
    for place, market in enumerate(run.scenario.venues_of(Lending)):
        rows = [
            (
                asset.symbol,
                _bps(asset.ltv_bps),
                _bps(asset.liquidation_threshold_bps),
                _bps(asset.liquidation_bonus_bps),
                _bps(asset.reserve_factor_bps),
                f"{asset.supplied:,.10g}",
            )
            for asset in market.assets
        ]
        head = (
            "Asset",
            "Loan to value",
            "Liquidation threshold",
            "Liquidation bonus",
            "Reserve factor",
            "Passive supply, tokens",
        )
        caption = f"Isolated market {market.name}: a liquidation may repay all of a debt"
        if isinstance(market, PooledLending):
            caption = (
                f"Lending market {market.name}: a liquidation repays at most "
                f"{percent(market.close_factor_bps / 10_000, 0)} of a debt, all of it below a "
                f"health factor of {market.full_close_health_factor:g}"
            )
        tables.append(table(f"market-{place}", caption, head, rows))
    return tables


def _other_venues(run: Run) -> Markup | None:
    rows = [
        (venue.name, venue.kind_name)
        for venue in run.scenario.venues
        if not isinstance(venue, Pool | Lending)
    ]
    return (
        table("venues", "Other venues", ("Venue", "Kind"), rows, text_columns=(0, 1))
        if rows
        else None
    )


def _bps(value: int) -> str:
    return percent(value / 10_000, 2) if value else "\u2013"


def _borrowers(run: Run) -> Markup | None:
    rows: list[Sequence[Content]] = []
    for population in run.scenario.populations:
        if isinstance(population, Borrowers):
            owed = f"{about(population.size.total_debt_usd)} {population.debt}"
            accounts, held = population.count, population.collateral
        elif isinstance(population, Positions):
            accounts, owed = len(population.positions), _owed(population)
            supplied = (symbol for row in population.positions for symbol, _ in row.supplied)
            held = ", ".join(dict.fromkeys(supplied))
        else:
            continue
        response = population.response
        rows.append(
            (
                population.name,
                population.venue,
                count(accounts),
                owed,
                held,
                f"{response.call_health_factor:g}",
                *(
                    percent(share / 10_000, 0)
                    for share in (response.top_up_bps, response.deleverage_bps, response.move_bps)
                ),
            )
        )
    called = ("Called below", "Add", "Sell", "Move")
    head = ("Population", "Market", "Accounts", "Debt", "Collateral", *called)
    return table("populations", "Borrowers", head, rows, text_columns=(0, 1, 4)) if rows else None


def _owed(population: Positions) -> str:
    """The debts of positions given one by one, tokens."""
    sums: dict[str, float] = {}
    for row in population.positions:
        for symbol, amount in row.borrowed:
            sums[symbol] = sums.get(symbol, 0.0) + amount
    return ", ".join(f"{amount:,.0f} {symbol}" for symbol, amount in sums.items()) or "none"


def _traders(run: Run) -> Markup | None:
    rows = [
        (
            each.name,
            each.venue,
            ", ".join(symbol for symbol, _ in each.markets),
            count(each.count),
            about(each.margin_usd),
            f"{each.leverage.median:g}",
            percent(each.long_bps / 10_000, 0),
        )
        for each in run.scenario.populations
        if isinstance(each, Traders)
    ]
    head = ("Population", "Exchange", "Markets", "Accounts", "Equity", "Median leverage", "Long")
    return table("traders", "Traders", head, rows, text_columns=(0, 1, 2)) if rows else None


def _liquidators(run: Run) -> Markup | None:
    rows = [
        (
            agent.name,
            count(agent.count),
            ", ".join(f"{amount:,.10g} {symbol}" for symbol, amount in agent.capital) or "none",
            plural(agent.latency_blocks, "block"),
            f"{agent.bid.base_gwei:,.6g} to {agent.bid.max_gwei:,.6g}",
        )
        for agent in run.scenario.agents_of(Liquidator)
    ]
    head = ("Liquidators", "Number", "Capital of each", "Latency", "Bids, gwei")
    return table("capital", "Liquidators", head, rows) if rows else None


def assumptions(run: Run) -> Section:
    """What is taken to be so."""
    items = [linked(text) for text in run.scenario.assumptions]
    return Section("assumptions", "Assumptions", bullets(items, "The scenario states none."))


def limitations(run: Run) -> Section:
    """What the run cannot say."""
    items = [linked(text) for text in run.scenario.limitations]
    return Section("limitations", "Limitations", bullets(items, "The scenario states none."))


def sources(run: Run) -> Section:
    """Where the numbers come from."""
    items = [linked(text) for text in run.scenario.sources]
    return Section("sources", "Sources", bullets(items, "The scenario names none."))


def glossary(_: Run) -> Section:
    """What the words mean."""
    entries = (
        element(tag, text)
        for word, meaning in GLOSSARY
        for tag, text in (("dt", word), ("dd", meaning))
    )
    return Section("words", "Words used here", element("dl", *entries, class_="words"))


def manifest(run: Run) -> Section:
    """How to repeat the run and check it, and what it was made with."""
    made = run.manifest
    command = made.get("command") or shlex.join(
        ["harness", "run", made["scenario"], "--seed", str(made["seed"])]
    )
    again = shlex.join(
        ["harness", "run", "scenario.toml", "--seed", str(made["seed"]), "--out", "again"]
    )
    parts: list[Content] = [
        element("p", "The command that made this run:"),
        element("pre", element("code", command)),
        element(
            "p",
            "From the run directory, which holds the scenario with everything it depends on. The "
            "digest at the end must be the one below, whatever the engine:",
        ),
        element("pre", element("code", again)),
        element("p", "To replay the recorded transactions and compare every block:"),
        element("pre", element("code", "harness verify .")),
        _checks(run),
        element("h3", "Manifest"),
        _versions(run),
        _exact(run),
        _files(run),
    ]
    return Section("manifest", "How to repeat it", join(parts))


def _checks(run: Run) -> Markup:
    checks = run.summary["checks"]["invariants"]
    heading = element("h3", "Checks")
    if not checks:
        return join([heading, element("p", "No invariant was checked.")])
    rows = [
        (
            name,
            SENTENCES.get(name, ""),
            "holds" if holds else element("strong", "violated"),
        )
        for name, holds in checks.items()
    ]
    head = ("Invariant", "What must hold", "Result")
    caption = "Invariants, checked on chain through the whole run"
    return join([heading, table("checks", caption, head, rows, text_columns=(0, 1, 2))])


def _versions(run: Run) -> Markup:
    made, summary = run.manifest, run.summary
    entries: list[tuple[str, Content]] = [
        ("Scenario", made["scenario"]),
        ("Seed", str(made["seed"])),
        ("Engine", made["engine"]),
        ("Digest", element("code", made["digest"])),
        ("Blocks", count(summary["blocks"])),
        ("Block times", f"{moment(run.times[0])} to {moment(run.times[-1])}"),
        ("Took", f"{summary['elapsed_s']:,.1f} seconds"),
    ]
    for key, name in (("started", "Started"), ("finished", "Finished"), ("harness", "Harness")):
        if key in made:
            entries.append((name, str(made[key])))
    for key, name in (("python", "Python"), ("platform", "Platform")):
        if key in made:
            entries.append((name, str(made[key])))
    packages = made.get("packages") or {}
    if packages:
        named = ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
        entries.append(("Packages", named))
    pairs = (
        element(tag, content)
        for name, value in entries
        for tag, content in (("dt", name), ("dd", value))
    )
    return element("dl", *pairs, class_="pairs")


def _exact(run: Run) -> Markup | None:
    """The summary's integers with every digit: tokens, and apart from them USD between venues."""
    decimals = {asset.symbol: asset.decimals for asset in run.scenario.assets}
    tokens: list[Sequence[Content]] = []
    carried: list[Sequence[Content]] = []
    for path, amounts in run.summary["exact"].items():
        between = path.startswith(_CONTAGION)
        for name, amount in amounts.items():
            shown = element(
                "data",
                _whole(int(amount), decimals[name] if not between else _USD_PLACES),
                value=amount,
                data_exact=f"{path}.{name}",
            )
            label = path.removeprefix(_CONTAGION) if between else _named(path)
            (carried if between else tokens).append((label, name, shown))
    parts = [_amounts("exact", "Exact amounts", ("Amount", "Token", "Tokens"), tokens)]
    if carried:
        caption = "Changes of insolvency by links, as the contagion matrix has them"
        entries = _amounts("exact-contagion", caption, ("By", "Of venue", "USD"), carried)
        parts.append(details("Exact entries of contagion", entries))
    return join(parts)


def _amounts(
    identity: str, caption: str, head: Sequence[str], rows: Sequence[Sequence[Content]]
) -> Markup | None:
    return table(identity, caption, head, rows, text_columns=(0, 1)) if rows else None


_CONTAGION = "contagion."
_USD_PLACES = len(str(WAD)) - 1
_STEP = "waterfall.loss_by_step."
_EXACT = {
    "liquidations.repaid": "Repaid in liquidations",
    "liquidations.seized": "Seized in liquidations",
    "solvency.bad_debt": "Written off",
    "solvency.deficit": "Deficit at the end",
    "exchanges.closed": "Closed in liquidations on exchanges",
    "exchanges.insurance_fund": "Insurance funds at the end",
    "fees.paid": "Fees paid",
}


def _named(path: str) -> str:
    """What an amount of the summary is called."""
    if path.startswith(_STEP):
        return f"Waterfall: {STEP_NAMES[path.removeprefix(_STEP)]}"
    return _EXACT.get(path, path)


def _whole(amount: int, decimals: int) -> str:
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "\u2212" if amount < 0 else ""
    digits = f"{rest:0{decimals}d}" if decimals else ""
    return f"{sign}{whole:,}.{digits}" if digits else f"{sign}{whole:,}"


def _files(run: Run) -> Markup:
    rows = [(name, element("code", digest)) for name, digest in run.manifest["files"].items()]
    shown = table(
        "files", "Files and their SHA-256", ("File", "SHA-256"), rows, text_columns=(0, 1)
    )
    return details("Files of the run directory", shown)
