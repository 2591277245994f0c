"""Sections on who acted: liquidators, and transactions that failed or waited."""

from __future__ import annotations

from harness.metrics.summary import LIQUIDATING
from harness.report.charts import Area, Bar, Line, TimeAxis, TimeChart, bar_chart, count_labels
from harness.report.data import Run
from harness.report.figures import count, money, percent, plural, short
from harness.report.layout import Section, chart_figure, over_time
from harness.report.markup import Content, Markup, element, join, table
from harness.report.sentences import REASONS, figure_of
from harness.report.tallies import Failure, failures, outcomes, takings
from harness.report.waves import settled

_MOST_FAILURES = 25
ACTIONS = {
    "liquidate": "liquidate",
    "liquidate_shares": "liquidate and redeem shares",
    "seize": "liquidate and keep the collateral",
    "sell_inventory": "sell kept collateral",
    "auction": "start an auction",
    "reset": "restart an auction",
    "buy": "buy collateral of a module",
    "bid": "bid in an auction",
    "settle": "take what was won",
    "sell": "sell what was won",
    "absorb": "have an account absorbed",
    "settle_reserves": "settle a module's reserves",
    "offset": "offset a debt with deposits",
    "claim": "take out gains of a deposit",
    "sell_gain": "sell gains of a deposit",
    "set_paused": "pause or reopen a market",
    "set_threshold": "move a threshold",
    "liquidate_traded_shares": "liquidate, redeem and sell shares",
    "redeem": "redeem shares",
    "trade_shares": "buy or sell shares",
    "arbitrage_shares": "arbitrage between shares and their vault",
    "allocate": "lend a vault's assets",
    "deallocate": "take a vault's assets back",
    "arbitrage": "arbitrage",
    "top_up": "add collateral or repay",
    "deleverage": "sell and repay",
    "withdraw": "withdraw what was supplied",
    "remove_liquidity": "take liquidity out of a pool",
    "leverage": "borrow against a stale price",
    "poke": "write an average down",
    "transmit": "report a price",
    "publish": "state a price",
    "liquidate_perp": "liquidate a position",
    "call": "call an account",
    "end_call": "end a call",
    "accrue": "accrue funding",
    "unwind": "close the fund's position",
    "pay_in": "pay in margin",
    "reduce": "reduce a position",
    "raise_cash": "sell a holding",
    "move_collateral": "take out collateral for another venue",
    "raise_loan": "borrow elsewhere",
    "trade_perp": "trade a position",
    "hedge": "hedge on spot",
    "unwind_basis": "sell spot of a basis trade",
    "waterfall_open": "open a round",
    "waterfall_list": "put accounts in line",
    "waterfall_deleverage": "deleverage winners",
    "waterfall_finish": "finish a round",
    "waterfall_allocate": "move a member's margin to a venue",
}


def liquidators(run: Run) -> Section:
    """What each kind of liquidator did and earned."""
    found = takings(run)
    title = "Liquidators"
    if not found:
        return Section("liquidators", title, element("p", "The scenario has no liquidators."))
    symbol = run.scenario.block_space.fee_asset
    done, repaid = outcomes(run), settled(run)
    rows: list[tuple[Content, ...]] = []
    for kind, taken in found.items():
        tried = [each for (who, what), each in done.items() if who == kind and what in LIQUIDATING]
        sent = sum(each.sent for each in tried)
        rows.append(
            (
                _named(run, kind),
                count(taken.liquidations),
                money(taken.repaid),
                money(taken.seized),
                money(taken.profit),
                f"{taken.fees:,.3f} {symbol}",
                count(sent),
                percent(1 - sum(each.succeeded for each in tried) / sent, 0) if sent else "\u2013",
            )
        )
    foot = (
        "All",
        figure_of(run, "liquidations.count"),
        figure_of(run, "liquidations.repaid_usd", money(run.summary["liquidations"]["repaid_usd"])),
        figure_of(run, "liquidations.seized_usd", money(run.summary["liquidations"]["seized_usd"])),
        money(sum(taken.profit for taken in found.values())),
        f"{sum(taken.fees for taken in found.values()):,.3f} {symbol}",
        count(sum(outcome.sent for key, outcome in done.items() if key[1] in LIQUIDATING)),
        "",
    )
    head = (
        "Liquidators",
        "Liquidations",
        repaid,
        "Collateral seized",
        "Profit before fees",
        "Fees",
        "Sent",
        "In vain",
    )
    parts: list[Content] = [
        element(
            "p",
            "Liquidators' profit after fees is ",
            figure_of(
                run,
                "liquidations.liquidator_profit_usd",
                money(run.summary["liquidations"]["liquidator_profit_usd"]),
            ),
            ": what sales of seized collateral brought beyond the repayments, rewards, and what is "
            f"kept, less fees in {symbol} at its last outside price. Fees are paid for failed "
            "transactions too.",
        )
    ]
    if run.liquidations:
        bars = [
            (_named(run, kind), [Bar(taken.repaid, short(taken.repaid), "a")])
            for kind, taken in found.items()
        ]
        chart = bar_chart(
            "liquidators-chart",
            f"{repaid} by kind of liquidator",
            "; ".join(f"{name}: {shown[0].text}" for name, shown in bars),
            bars,
        )
        parts.append(chart_figure(f"{repaid}, USD", None, None, chart))
    parts.append(
        table(
            "liquidators-table",
            "Liquidators by kind, who settled most first",
            head,
            rows,
            foot=foot,
        )
    )
    return Section("liquidators", title, join(parts))


def _named(run: Run, group: str) -> str:
    number = run.count_of(group)
    return f"{group} ({number})" if number > 1 else group


def transactions(run: Run) -> Section:
    """What failed or waited: by agent, by reason, and how full blocks were."""
    sent = run.summary["transactions"]
    title = "Transactions that failed or waited"
    pending = sum(row.status == "pending" for row in run.sent)
    parts: list[Content] = [
        element(
            "p",
            "Of ",
            figure_of(run, "transactions.sent", plural(sent["sent"], "transaction")),
            " of agents and keepers ",
            figure_of(run, "transactions.succeeded"),
            " succeeded, ",
            figure_of(run, "transactions.reverted"),
            " were included and failed, ",
            figure_of(run, "transactions.expired"),
            " expired without ever being included",
            f", and {count(pending)} still waited at the end." if pending else ".",
        )
    ]
    done = outcomes(run)
    if not done:
        return Section("transactions", title, join(parts))
    parts += [_by_agent(run), _by_reason(run), _block_space(run)]
    return Section("transactions", title, join(parts))


def _by_agent(run: Run) -> Markup:
    rows = [
        (
            _named(run, group),
            ACTIONS.get(action, action),
            count(outcome.sent),
            count(outcome.succeeded),
            count(outcome.reverted),
            count(outcome.expired),
            count(outcome.pending),
            count(outcome.waited),
            f"{count(outcome.longest)}" if outcome.waited else "\u2013",
        )
        for (group, action), outcome in outcomes(run).items()
    ]
    totals = list(outcomes(run).values())
    foot = (
        "All",
        "",
        count(sum(each.sent for each in totals)),
        count(sum(each.succeeded for each in totals)),
        count(sum(each.reverted for each in totals)),
        count(sum(each.expired for each in totals)),
        count(sum(each.pending for each in totals)),
        count(sum(each.waited for each in totals)),
        "",
    )
    head = (
        "Agent",
        "To",
        "Sent",
        "Succeeded",
        "Failed",
        "Expired",
        "Waiting at the end",
        "Included late",
        "Longest wait, blocks",
    )
    caption = "Transactions by agent and what became of them"
    return table("transactions-table", caption, head, rows, text_columns=(0, 1), foot=foot)


_STATUS = {"reverted": "failed", "expired": "expired", "pending": "waits"}


def _by_reason(run: Run) -> Markup:
    found = failures(run)
    if not found:
        return element("p", "No transaction failed or expired.")
    rows = [
        (
            _named(run, failure.group),
            ACTIONS.get(failure.action, failure.action),
            _STATUS.get(failure.status, failure.status),
            _explained(failure),
            count(number),
            count(first),
        )
        for failure, number, first in found[:_MOST_FAILURES]
    ]
    rest = sum(number for _, number, _ in found[_MOST_FAILURES:])
    foot = ("Other reasons", "", "", "", count(rest), "") if rest else None
    head = ("Agent", "To", "Outcome", "Reason", "Times", "First in block")
    caption = "Why transactions failed or never got in"
    return table("failures", caption, head, rows, text_columns=(0, 1, 2, 3), foot=foot)


def _explained(failure: Failure) -> Markup:
    """A reason with what it means."""
    meaning = REASONS.get(failure.reason)
    named: Content = failure.reason
    if failure.status == "reverted":
        named = element("code", failure.reason)
    return element("span", named, f": {meaning}" if meaning else None, class_="why")


def _block_space(run: Run) -> Markup:
    """Transactions waiting, and what everybody else bids."""
    axis = TimeAxis(run.times)
    bids = run.background_bid
    told_bids = f"Between {min(bids):,.4g} and {max(bids):,.4g} gwei."
    parts = []
    if any(run.waiting):
        told = f"At most {plural(max(run.waiting), 'transaction')} at once."
        waiting = [float(value) for value in run.waiting]
        chart = TimeChart(
            "waiting-chart",
            "Transactions waiting at the end of each block",
            told,
            axis,
            count_labels,
            areas=[Area("Waiting", waiting, "a")],
            height=110,
            whole=True,
        )
        columns = [("Waiting", [count(value) for value in run.waiting])]
        alternative = over_time(run, "waiting-table", "Transactions waiting", columns)
        parts.append(
            chart_figure(
                "Transactions waiting at the end of each block",
                told,
                None,
                chart.svg(),
                alternative,
            )
        )
    if min(bids) != max(bids):
        chart = TimeChart(
            "bids-chart",
            "The bid of everybody outside the scenario",
            told_bids,
            axis,
            count_labels,
            lines=[Line("Background bid", bids, "run")],
            height=110,
            from_zero=True,
        )
        columns = [("Bid, gwei", [f"{bid:,.4g}" for bid in bids])]
        alternative = over_time(run, "bids-table", "Background bid in gwei", columns)
        title = "What everybody else bids for block space, gwei"
        parts.append(chart_figure(title, told_bids, None, chart.svg(), alternative))
    else:
        parts.append(
            element("p", f"Everybody else bids {bids[0]:,.4g} gwei for block space throughout.")
        )
    return join([element("h3", "How full blocks were"), *parts])
