"""Liquidation modules in a scenario: set-up, what is read of them, and what their events mean.

A liquidation begins when the market's ``Confiscate`` event says that a module has taken over part
of an account: that is the row which counts, and by that account's balances and prices its wave is
judged. What is raised for it may come later. Each sale is a row of its own that names its
liquidation, adds to what that has repaid, seized and brought, and hands its wave to the trade that
sold the collateral on.

==================  ============================================================================
design              what repays the debt, and when
==================  ============================================================================
fixed-bonus         the liquidator, at once (no module)
discount            the liquidator, at once
==================  ============================================================================
"""

from harness.modules.handle import ModuleHandle

__all__ = ["ModuleHandle"]
