"""Flash loans, liquidation without capital, and what a call back from the market can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account
from harness.contracts import Contract, decode_error
from harness.errors import Reverted

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
USD = 10**8
MAX = (1 << 256) - 1
ME = account("caller").address


@pytest.fixture
def callee(chain: Chain, isolated: Any) -> Contract:
    """Calls the market, lets it take both tokens, and does as told when called back."""
    callee = chain.deploy("IsolatedCallee")
    for token in (isolated.debt, isolated.collateral):
        approve = token.encode("approve", isolated.market.address, MAX)
        chain.send(ME, callee, "act", token.address, approve)
    return callee


def _order(chain: Chain, callee: Contract, target: Contract, function: str, *args: Any) -> None:
    chain.send(ME, callee, "arm", target.address, target.encode(function, *args))


def _act(chain: Chain, callee: Contract, target: Contract, function: str, *args: Any) -> Any:
    return chain.send(ME, callee, "act", target.address, target.encode(function, *args))


def loan(callee: Contract, token: Contract, amount: int) -> tuple[Any, ...]:
    """A flash loan to the callee."""
    return ("flashLoan", callee.address, token.address, amount, b"")


def test_a_flash_loan_of_everything_costs_nothing(
    chain: Chain, isolated: Any, callee: Contract
) -> None:
    isolated.add_collateral("alice", 7 * WAD)
    for token, amount in ((isolated.debt, 1_000_000 * WAD), (isolated.collateral, 7 * WAD)):
        receipt = _act(chain, callee, isolated.market, *loan(callee, token, amount))
        (event,) = callee.events(receipt.logs, "CalledBack")
        assert (event["due"], event["assets"], event["balance"]) == (0, amount, amount)
        assert chain.balance(token, isolated.market) == amount
        assert chain.balance(token, callee) == 0
        with pytest.raises(Reverted):
            _act(chain, callee, isolated.market, *loan(callee, token, amount + 1))


def test_a_flash_borrower_hears_who_asked_for_the_loan(
    chain: Chain, isolated: Any, callee: Contract
) -> None:
    call = loan(callee, isolated.debt, WAD)
    for receipt, initiator in (
        (_act(chain, callee, isolated.market, *call), callee.address),
        (chain.send(ME, isolated.market, *call), ME),
    ):
        (event,) = callee.events(receipt.logs, "CalledBack")
        (lent,) = isolated.market.events(receipt.logs, "FlashLoan")
        assert event["initiator"] == lent["initiator"] == initiator
        assert (lent["asset"], lent["borrower"]) == (isolated.debt.address, callee.address)
        assert (lent["assets"], lent["fee"]) == (WAD, 0)


def test_a_flash_loan_that_is_not_returned_is_refused(
    chain: Chain, isolated: Any, callee: Contract
) -> None:
    _order(chain, callee, isolated.debt, "transfer", ME, 1)
    with chain.reverts("OrderFailed"):
        _act(chain, callee, isolated.market, *loan(callee, isolated.debt, WAD))
    chain.mint(isolated.debt, callee.address, 1)
    _act(chain, callee, isolated.market, *loan(callee, isolated.debt, WAD))
    assert chain.balance(isolated.debt, ME) == 1


def test_a_loan_cannot_be_repaid_with_itself(chain: Chain, isolated: Any, callee: Contract) -> None:
    """Supplying what was lent leaves the loan owed: the market counts, it does not look."""
    _order(chain, callee, isolated.market, "supply", WAD, 0, ME)
    with chain.reverts("OrderFailed"):
        _act(chain, callee, isolated.market, *loan(callee, isolated.debt, WAD))


def test_collateral_comes_before_the_debt_is_pulled(
    chain: Chain, isolated: Any, callee: Contract
) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 1_700 * WAD)
    isolated.price(1_900 * USD)
    alice = account("alice").address
    # paid out of what the call back brings: tokens minted to it, as a sale would
    chain.mint(isolated.debt, ME, 1_700 * WAD)
    chain.send(ME, isolated.debt, "approve", callee.address, MAX)
    _order(chain, callee, isolated.debt, "transferFrom", ME, callee.address, 1_700 * WAD)
    call = ("liquidate", alice, 0, MAX, b"now")
    receipt = _act(chain, callee, isolated.market, *call)
    (event,) = callee.events(receipt.logs, "CalledBack")
    (done,) = isolated.market.events(receipt.logs, "Liquidate")
    assert event["due"] == done["repaidAssets"] == 1_700 * WAD
    assert event["assets"] == event["balance"] == done["seizedAssets"]
    assert chain.balance(isolated.debt, callee) == 0


def test_whoever_is_called_back_finds_the_books_closed(
    chain: Chain, isolated: Any, callee: Contract
) -> None:
    """In the call back the account is liquidated already: there is nothing to take twice."""
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 1_700 * WAD)
    isolated.price(1_900 * USD)
    alice = account("alice").address
    chain.mint(isolated.debt, callee.address, 10_000 * WAD)
    _order(chain, callee, isolated.market, "liquidate", alice, 0, MAX, b"")
    with chain.reverts("OrderFailed"):
        _act(chain, callee, isolated.market, "liquidate", alice, 0, MAX, b"again")
    _order(chain, callee, isolated.market, "accrueInterest")
    _act(chain, callee, isolated.market, "liquidate", alice, 0, MAX, b"harmless")
    state = isolated.state()
    assert state.debt_tokens == state.supply_assets - state.borrow_assets
    assert state.collateral_tokens == isolated.position("alice").collateral


@pytest.fixture
def liquidator(chain: Chain, isolated: Any) -> tuple[Contract, Contract]:
    """The liquidator, and the pool its router sells in: $2,000 and deep."""
    admin = account("admin").address
    pool = chain.pool(isolated.collateral, isolated.debt, 10_000 * WAD, 20_000_000 * WAD)
    router = chain.deploy("ForcedTradeRouter", admin)
    pair = (isolated.collateral.address, isolated.debt.address)
    chain.send(admin, router, "setPool", *pair, pool.address)
    return chain.deploy("IsolatedLiquidator", router.address), router


def test_a_liquidator_without_capital_keeps_the_difference(
    chain: Chain, isolated: Any, liquidator: tuple[Contract, Contract]
) -> None:
    contract, router = liquidator
    isolated.add_collateral("alice", 10 * WAD)
    isolated.borrow("alice", 17_200 * WAD)
    isolated.price(1_980 * USD)
    alice = account("alice").address
    call = (isolated.market.address, alice, 0, MAX)
    with chain.anchor():
        chain.send(ME, contract, "liquidate", *call, 0)
        profit = chain.balance(isolated.debt, ME)
    assert profit > 0
    with chain.reverts("Unprofitable", 17_200 * WAD + profit, 17_200 * WAD + profit + 1):
        chain.send(ME, contract, "liquidate", *call, profit + 1)
    receipt = chain.send(ME, contract, "liquidate", *call, profit)
    (event,) = contract.events(receipt.logs, "LiquidationExecuted")
    (trade,) = router.events(receipt.logs, "ForcedTrade")
    assert event["liquidator"] == ME
    assert event["proceeds"] - event["repaid"] == chain.balance(isolated.debt, ME) == profit
    assert trade["origin"] == isolated.market.address
    assert trade["account"] == alice
    assert trade["amountIn"] == event["seized"]
    for token in (isolated.debt, isolated.collateral):
        assert chain.balance(token, contract) == 0


def test_the_liquidator_does_not_sell_at_a_loss(
    chain: Chain, isolated: Any, liquidator: tuple[Contract, Contract]
) -> None:
    isolated.add_collateral("alice", 5_000 * WAD)
    isolated.borrow("alice", 900_000 * WAD)
    isolated.price(150 * USD)  # the pool is at 2,000, and the seized 5,000 halve it
    call = (isolated.market.address, account("alice").address, 0, MAX, 0)
    chain.send(ME, liquidator[0], "liquidate", *call)
    isolated.price(2_000 * USD)
    isolated.supply("supplier", 5_000_000 * WAD)
    isolated.add_collateral("bob", 2_000 * WAD)
    isolated.borrow("bob", 3_400_000 * WAD)
    isolated.price(1_900 * USD)
    call = (isolated.market.address, account("bob").address, 0, MAX, 0)
    with chain.reverts("Unprofitable"):
        chain.send(ME, liquidator[0], "liquidate", *call)


def test_only_the_market_in_hand_calls_the_liquidator_back(
    chain: Chain, liquidator: tuple[Contract, Contract]
) -> None:
    with chain.reverts("NotMarket", ME):
        chain.send(ME, liquidator[0], "onIsolatedLiquidation", 1, 1, b"")


def test_a_token_that_calls_back_cannot_take_anything_twice(
    chain: Chain, make_isolated: Any
) -> None:
    """The collateral calls the market in the middle of its own withdrawal and seizure."""
    token = chain.deploy("ReentrantToken")
    rig = make_isolated(collateral_token=token)
    rig.supply("supplier", 10_000 * WAD)
    rig.add_collateral("alice", 3 * WAD)
    rig.borrow("alice", 1_000 * WAD)
    alice, thief = account("alice").address, account("thief").address
    rig.fund("thief", rig.debt, 10_000 * WAD)
    chain.send(alice, rig.market, "setOperator", token.address, True)
    inner = rig.market.encode("withdrawCollateral", 2 * WAD, alice, thief)
    chain.send(thief, token, "arm", rig.market.address, inner)
    rig.send("alice", "withdrawCollateral", 2 * WAD, alice, alice)
    found = decode_error(chain.read(token, "outcome")).partition("(")[0]
    assert found == "InsufficientCollateral"

    rig.price(1_100 * USD)
    inner = rig.market.encode("liquidate", alice, 0, MAX, b"")
    chain.send(thief, token, "arm", rig.market.address, inner)
    rig.send("thief", "liquidate", alice, 0, MAX, b"")
    assert decode_error(chain.read(token, "outcome")).partition("(")[0] == "Healthy"
    state = rig.state()
    assert state.debt_tokens == state.supply_assets - state.borrow_assets
    assert state.collateral_tokens == rig.position("alice").collateral
