"""Liquidation modules in a scenario: set-up, what is read of them, and what their events mean.

A liquidation begins when the market's ``Confiscate`` event says that a module has taken over part
of an account: that is the row which counts, and by that account's balances and prices its wave is
judged. What is raised for it may come later. Each sale is a row of its own that names its
liquidation, adds to what that has repaid, seized and brought, and hands its wave to the trade that
sold the collateral on.

================  ==============================================================================
design            what repays the debt, and when
================  ==============================================================================
fixed-bonus       the liquidator, at once (no module)
discount          the liquidator, at once
dutch-auction     buyers, part by part, at the price of their block
english-auction   the winner, when the auction is settled; bids before that count for nothing
absorption        buyers of pooled collateral; a sale is charged to the oldest absorbed first
stability-pool    depositors, at once; their own sales later only carry the wave on
================  ==============================================================================

What an account was relieved of is the debt taken over, whatever is raised for it: its loss is
collateral taken less debt taken, less what came back. Debt that a module still owes beyond what it
holds is a shortfall of its market (each auction on its own, since what is over goes back to its
account; absorbed collateral together), and what it cannot raise is written off as bad debt of the
account, or, once absorbed, of nobody in particular.
"""

from harness.modules.handle import ModuleHandle

__all__ = ["ModuleHandle"]
