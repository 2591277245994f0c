"""What agents return: orders, that is transactions with a fee bid and a term.

Declared gas orders and fills blocks and prices fees; it is apart from the generous limit a
transaction executes with, so that all engines include the same transactions although they
count gas differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.engine.base import Transaction

#: Gas that actions on an exchange declare: the most that one used, failed ones included, on py-evm,
#: by accounts with positions in two markets and two collaterals, rounded up to the next thousand.
#: ``tests/perps/test_exchange_gas.py`` measures it.
EXCHANGE_GAS: Mapping[str, int] = {
    "liquidate_perp": 806_000,
    "call": 229_000,
    "end_call": 227_000,
    "accrue": 126_000,
    "unwind": 171_000,
    "pay_in": 250_000,
    "reduce": 357_000,
    "trade_perp": 231_000,
    "raise_cash": 128_000,
    "raise_loan": 202_000,
    "hedge": 111_000,
    "unwind_basis": 118_000,
}

#: Gas that actions around liquidation modules declare, as above.
#: ``tests/simulation/test_module_gas.py`` measures it.
MODULE_GAS: Mapping[str, int] = {
    "auction": 583_000,
    "reset": 221_000,
    "buy": 462_000,
    "bid": 201_000,
    "settle": 185_000,
    "sell": 113_000,
    "absorb": 234_000,
    "settle_reserves": 124_000,
    "offset": 531_000,
    "claim": 119_000,
    "sell_gain": 141_000,
}

#: Gas that actions around curated vaults of two strategies declare, as above; ``liquidate_shares``
#: is a liquidation that redeems what it seizes and sells that.
#: ``tests/contagion/test_vault_gas.py`` measures it.
VAULT_GAS: Mapping[str, int] = {
    "liquidate_shares": 738_000,
    "redeem": 412_000,
    "allocate": 168_000,
    "deallocate": 293_000,
}

#: Gas that actions around pools of shares declare, as above; ``liquidate_traded_shares`` redeems a
#: part of what it seizes, sells the other in the pool and what both brought in another.
#: ``tests/contagion/test_vault_gas.py`` measures it.
SHARE_GAS: Mapping[str, int] = {
    "liquidate_traded_shares": 966_000,
    "arbitrage_shares": 396_000,
    "trade_shares": 142_000,
}

#: Gas an action declares: the most that one of its transactions used, failed ones included, on
#: py-evm, which counts gas exactly, in the first crash of black-thursday, rounded up to the next
#: thousand. ``tests/simulation/test_declared_gas.py`` measures every entry again.
DECLARED_GAS: Mapping[str, int] = {
    "publish": 28_000,
    "transmit": 52_000,
    "poke": 74_000,
    "arbitrage": 319_000,
    "liquidate": 440_000,
    "seize": 214_000,
    "sell_inventory": 128_000,
    "top_up": 89_000,
    "set_paused": 46_000,
    "set_threshold": 86_000,
    "deleverage": 334_000,
    "withdraw": 112_000,
    "remove_liquidity": 171_000,
    **VAULT_GAS,
    **SHARE_GAS,
    "leverage": 396_000,
    **EXCHANGE_GAS,
    **MODULE_GAS,
}


@dataclass(slots=True)
class Order:
    """A transaction offered to the block builder.

    action: name in DECLARED_GAS, kept in the transactions table
    agent: who sends it
    key: what it is about; a later order with the same agent and key replaces the bid of a
        waiting one
    bid: wei of the fee asset per unit of declared gas
    observed: last block whose state the agent had seen
    available: first block that may include it
    expires: last block that may include it
    """

    transaction: Transaction
    action: str
    agent: str
    key: str
    gas: int
    bid: int
    observed: int
    available: int
    expires: int

    def faults(self, agent: str, block: int) -> list[str]:
        """What is wrong with it as an order of this agent for this block."""
        sender, to, data = self.transaction
        rules = {
            "agent is not the agent's name": self.agent == agent,
            "gas is not what the action declares": type(self.gas) is int
            and self.gas == DECLARED_GAS.get(self.action, self.gas) > 0,
            "bid is not an integer of 0 or more": type(self.bid) is int and self.bid >= 0,
            "observed is not the last block": self.observed == block - 1,
            "available before the block": self.available >= block,
            "expires before it is available": self.expires >= self.available,
            "sender or receiver is no address": len(sender) == len(to) == 20,
            "data is no call": isinstance(data, bytes) and len(data) >= 4,
        }
        return [fault for fault, kept in rules.items() if not kept]

    @property
    def fee(self) -> int:
        """Wei of the fee asset, paid whether the transaction succeeds or reverts."""
        return self.gas * self.bid
