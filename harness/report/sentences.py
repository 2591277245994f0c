"""What happened, in three sentences made from the figures, and what words and errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.data import Run
from harness.report.figures import about, count, duration, percent, plural, price, times
from harness.report.markup import Content, Markup, figure, join
from harness.scenario import Traders

_STILL = 0.02
"""A price that stays within this share of its start is said to have stayed."""


def three_sentences(run: Run) -> list[Markup]:
    """The shock and whom it reached; what was liquidated, and why; what was lost, and by whom."""
    return [_shock(run), _cascade(run), _loss(run)]


def figure_of(run: Run, path: str, text: str | None = None) -> Markup:
    """A figure of the summary by its dotted path, in words unless a text is given."""
    value: Any = run.summary
    for key in path.split("."):
        value = value[key]
    if text is None:
        text = about(value) if path.endswith("_usd") else count(value)
    return figure(path, value, text)


def main_asset(run: Run) -> str:
    """The asset whose outside price went furthest from its start."""

    def furthest(symbol: str) -> float:
        path: Mapping[str, float] = run.summary["prices"][symbol]
        return max(abs(path["low"] / path["start"] - 1), abs(path["high"] / path["start"] - 1))

    symbols: Mapping[str, Any] = run.summary["prices"]
    return max(symbols, key=furthest)


def _shock(run: Run) -> Markup:
    return join([_moved(run), *_called(run)])


def _moved(run: Run) -> Markup:
    symbol = main_asset(run)
    path: Mapping[str, float] = run.summary["prices"][symbol]
    outside = run.prices[symbol].outside
    span = duration(run.times[-1] - run.times[0]) if len(run.times) > 1 else "one block"

    def stated(name: str) -> Markup:
        return figure_of(run, f"prices.{symbol}.{name}", price(path[name]))

    fall, rise = 1 - path["low"] / path["start"], path["high"] / path["start"] - 1
    if max(fall, rise) < _STILL:
        return join(
            [symbol, " stayed between ", stated("low"), " and ", stated("high"), f" for {span}"]
        )
    name = "low" if fall >= rise else "high"
    verb = "fell" if name == "low" else "rose"
    place = (min if name == "low" else max)(range(len(outside)), key=outside.__getitem__)
    after = duration(run.times[place] - run.times[0])
    text = f"{symbol} {verb} by {percent(max(fall, rise))} within {after}, from "
    return join([text, stated("start"), f" to a {name} of ", stated(name)])


def _called(run: Run) -> list[Content]:
    who = _holders(run)
    calls = run.summary["margin_calls"]
    if not calls["count"]:
        return [f"; none of {who} was called for more collateral."]
    return [
        f", and {who} were called for more collateral ",
        figure_of(run, "margin_calls.count", times(calls["count"])),
        ", which they answered by adding some or repaying ",
        figure_of(run, "margin_calls.met", times(calls["met"])),
        ", by selling ",
        figure_of(run, "margin_calls.reduced", times(calls["reduced"])),
        " and not at all ",
        figure_of(run, "margin_calls.ignored", times(calls["ignored"])),
        ".",
    ]


def _holders(run: Run) -> str:
    """Who could be called: borrowers, traders, or both."""
    owing = [position for position in run.positions if position.debt_before]
    debt = about(sum(position.debt_before for position in owing))
    traders = sum(p.count for p in run.scenario.populations if isinstance(p, Traders))
    groups = [f"{plural(len(owing), 'borrower')} who owed {debt}"] if owing or not traders else []
    groups += [plural(traders, "trader")] if traders else []
    return " and ".join(groups)


def _cascade(run: Run) -> Markup:
    number = run.summary["liquidations"]["count"]
    twin = len(run.twin_liquidations)
    if not number and not twin:
        return join(["Nothing was liquidated, whether forced sales move prices or not."])
    repaid = about(sum(row.repaid for row in run.twin_liquidations))
    without = "had forced sales moved no price, there would have been " + (
        f"{plural(twin, 'liquidation')} repaying {repaid}." if twin else "none."
    )
    if not number:
        return join([f"Nothing was liquidated; {without}"])
    exogenous = sum(row.wave == 0 for row in run.liquidations)
    further = number - exogenous
    waves = run.summary["cascade"]["max_wave"]
    parts: list[Content] = [
        figure_of(run, "liquidations.count", plural(number, "liquidation")),
        " repaid ",
        figure_of(run, "liquidations.repaid_usd"),
        " of debt and of positions closed: " if run.exchanges else " of debt: ",
    ]
    if further:
        parts.append(
            f"{count(exogenous)} follow from outside prices alone and {count(further)} from prices "
            f"that earlier forced sales had moved, in {plural(waves, 'further wave')}; "
        )
    else:
        verb = "it follows" if number == 1 else "all follow"
        parts.append(
            f"{verb} from outside prices alone and none from prices that forced sales had moved; "
        )
    return join([*parts, without])


def _loss(run: Run) -> Markup:
    solvency = run.summary["solvency"]
    twin = run.total[1].insolvency[-1]
    if not solvency["insolvency_usd"]:
        lost = (
            f"; without feedback it would be {about(twin)}." if twin else ", as without feedback."
        )
        return join(["At the end every debt is covered and insolvency is ", _insolvent(run), lost])
    written, short = solvency["bad_debt_usd"], solvency["shortfall_market_usd"]
    if not short:
        made_of: list[Content] = [", all of it written off"]
    elif not written:
        made_of = [", none of it written off yet"]
    else:
        made_of = [
            ", of which ",
            figure_of(run, "solvency.bad_debt_usd"),
            " was written off and ",
            figure_of(run, "solvency.shortfall_market_usd"),
            " are debts above the worth of their collateral",
        ]
    parts = ["At the end insolvency is ", _insolvent(run), *made_of]
    parts.append(
        f", against {about(twin)} without feedback" if twin else ", and $0 without feedback"
    )
    carried = _carriers(run)
    return join([*parts, *(["; ", carried] if carried else []), "."])


def _insolvent(run: Run) -> Markup:
    return figure_of(run, "solvency.insolvency_usd")


def _carriers(run: Run) -> str:
    """Who carries what was written off, at the last prices."""
    shares = carriers(run)
    named = [f"{name} {about(usd)}" for name, usd in shares if usd]
    if not named:
        return ""
    total = about(sum(usd for _, usd in shares))
    return f"of what was written off, worth {total} at the last prices, {' and '.join(named)}"


def carriers(run: Run) -> list[tuple[str, float]]:
    """Who carries what the venues wrote off at the last prices (USD), as the summary states it."""
    totals: dict[str, float] = {}
    for venue in run.summary["solvency"]["by_venue"].values():
        for key, usd in venue.items():
            if key.startswith("carried_by_"):
                name = key.removeprefix("carried_by_").removesuffix("_usd").replace("_", " ")
                totals[name] = totals.get(name, 0.0) + usd
    verbs = {
        "reserves": "the reserves cover",
        "suppliers": "suppliers bear",
        "insurance": "insurance funds paid",
        "vault": "vaults paid",
    }
    shares = [(verbs.get(name, f"{name} carry"), usd) for name, usd in totals.items()]
    houses = run.summary["waterfall"] or {}
    if houses:
        paid = sum(
            usd
            for house in houses.values()
            for step, usd in house["loss_by_step_usd"].items()
            if step != "unpaid"
        )
        shares.append(("the default waterfall carried", paid))
    return shares


REASONS: Mapping[str, str] = {
    "AnswerOutOfBounds": "a feed's answer was at or beyond what the market accepts",
    "BorrowCapExceeded": "the asset's borrow cap was reached",
    "BorrowLimitExceeded": "more debt than the collateral allows",
    "AlreadyCalled": "somebody had called the account before",
    "CoolingDown": "part of the position was closed a moment ago",
    "BidOutOfBounds": "somebody had bid more by then, or it is not enough of an increase",
    "Finished": "the auction was over",
    "InDefault": "the account is in the hands of the waterfall",
    "InsufficientCollateral": "the account had less collateral than that takes",
    "InsufficientLiquidity": "there was not enough cash or reserve to pay for it",
    "LiquidationsClosed": "the market was paused, or in its grace period after a pause",
    "MarketPaused": "the market was paused",
    "NeedsReset": "the auction's price had fallen too far, or for too long",
    "NoPartialPurchase": "too little would have been left to be raised",
    "NoRoom": "as much was in auction already as may be",
    "NotForSale": "reserves were at their target",
    "NotRunning": "the auction was over",
    "InsufficientMargin": "too little equity would have been left",
    "NotFinished": "the auction was still running",
    "NothingToBorrow": "the market had nothing to lend on what was bought",
    "NoPosition": "the position was closed already",
    "NotCallable": "the account was back above its call margin",
    "NotCalled": "the call was over already",
    "OpenInterestCap": "the market's cap on open interest was reached",
    "PriceOutOfBand": "the index was too far from its average",
    "Healthy": "the account was no longer liquidatable: someone was first, or it had recovered",
    "InsufficientAllowance": "the token was not approved for that amount",
    "InsufficientBalance": "the sender did not hold enough of the token",
    "InsufficientCash": "the market did not hold enough to pay out",
    "InsufficientClaims": "the account did not own that much",
    "InsufficientFeeBalance": "the sender could not pay the fee",
    "InsufficientInventory": "the outside market had run out of what was asked for",
    "MustNotLeaveDust": "it would have left a position too small to be worth liquidating",
    "NoPool": "no pool trades this pair",
    "NothingToRepay": "the debt was gone already",
    "NothingToSeize": "the collateral was gone already",
    "SlippageExceeded": "the price had moved further than the sender accepts",
    "StalePrice": "the feed's answer was older than the market accepts",
    "StillCalled": "the account was still below its call margin",
    "SupplyCapExceeded": "the asset's supply cap was reached",
    "TooExpensive": "the auction's price was above the buyer's limit",
    "TooLittle": "it would have bought less than the sender asks for",
    "Unhealthy": "it would have left the account below a health factor of 1",
    "Unprofitable": "it would have brought less than the sender asks for",
    "bid below the background bid": "everybody else bid more for the block's space",
    "fee balance too small": "the sender could not pay the fee",
    "not due yet": "the run ended before it could have been included",
    "no room in the block": "transactions that bid more filled the block",
}
"""What errors and reasons say, in plain words."""

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "With and without feedback",
        "The run itself, and its twin: the same seed from the same state, in which every forced "
        "sale is filled at the price of the moment and moves none. The difference is what the "
        "sales do to the market.",
    ),
    (
        "Forced sale",
        "A sale that a liquidation makes, or a borrower who was called for more collateral.",
    ),
    (
        "Wave",
        "Wave 0 would be liquidated at prices that no forced sale has moved. Wave 1 needed a "
        "forced sale of wave 0 to fall below the line, wave 2 one of wave 1, and so on.",
    ),
    (
        "Health factor",
        "Collateral, weighed by its liquidation threshold, divided by debt. Below 1 anybody may "
        "liquidate.",
    ),
    (
        "Margin call",
        "An episode in which an account is below the health factor at which its owner pays "
        "attention. The owner adds collateral or repays, sells collateral, or does neither.",
    ),
    (
        "Bad debt",
        "Debt that the market wrote off because the account had no collateral left, in USD at the "
        "feed's price of that block.",
    ),
    (
        "Market shortfall",
        "Debt above the worth of its collateral at outside prices, over all accounts that have "
        "more debt than collateral.",
    ),
    ("Insolvency", "Bad debt and market shortfall together."),
    (
        "Short of a liquidation, short at feed prices",
        "The same sum with the liquidation bonus on top of the debt, and at the feeds' prices "
        "instead of the outside ones.",
    ),
    (
        "Deficit",
        "What is missing in the market's books since it was written off, at the prices of the "
        "moment. Reserves of the asset cover it as far as they go; suppliers bear the rest.",
    ),
    (
        "Amplification",
        "Debt repaid in liquidations with feedback, divided by that without. The endogenous share "
        "is 1 \u2212 1 / amplification, the branching ratio is wave 1 divided by wave 0, by value.",
    ),
    (
        "Outside price",
        "What the token costs on the market outside, which the pool's arbitrageurs trade with. The "
        "given path is that price before anybody here trades; the feed is what the lending market "
        "is told.",
    ),
)
"""The words a reader needs, in the order they come up."""
