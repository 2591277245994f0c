"""Sets up the module that a market's scenario asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext

from harness.accounts import account
from harness.contracts import Contract
from harness.modules.handle import ModuleHandle
from harness.population import Position
from harness.scenario.liquidation import (
    AbsorbAndSell,
    DutchAuctions,
    EnglishAuctions,
    ExponentialCurve,
    FixedBonus,
    GrowingDiscount,
    LinearCurve,
    LiquidationDesign,
    PriceCurve,
    StabilityDeposits,
    StepCurve,
)
from harness.scenario.model import Scenario
from harness.scenario.participants import Buyer, Depositor
from harness.scenario.units import base_units
from harness.scenario.venues import Lending
from harness.setup import Setup

WAD = 10**18
RAY = 10**27
BPS = 10_000

#: How many borrowers a stability pool can spread losses over.
MOST_ENROLLED = 1024


def deploy_module(
    setup: Setup,
    design: LiquidationDesign,
    market: Contract,
    *,
    admin: bytes,
    router: Contract,
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
) -> ModuleHandle | None:
    """Deploys a design and gives it to a market that lists nothing yet; None for the fixed bonus.

    Raises TypeError for a design that no contract is known for.
    """
    if isinstance(design, FixedBonus):
        return None
    trigger = executor = None
    if isinstance(design, GrowingDiscount):
        cap = design.max_discount_bps * WAD // BPS
        contract = setup.deploy("DiscountLiquidation", market.address, cap)
    elif isinstance(design, DutchAuctions):
        contract, trigger = _dutch_auction(setup, design, market, admin)
        executor = setup.deploy("PurchaseExecutor", router.address)
    elif isinstance(design, EnglishAuctions):
        increase = WAD + design.bid_increase_bps * WAD // BPS
        config = (increase, design.bid_duration_s, design.auction_duration_s)
        contract = setup.deploy("EnglishAuction", admin, market.address, config)
    elif isinstance(design, AbsorbAndSell):
        base, target = tokens[design.base], design.target_reserves
        contract = setup.deploy(
            "Absorption",
            admin,
            market.address,
            base.address,
            base_units(target, decimals[design.base]),
            design.store_front_bps,
        )
        executor = setup.deploy("PurchaseExecutor", router.address)
    elif isinstance(design, StabilityDeposits):
        contract = setup.deploy(
            "StabilityPool",
            market.address,
            tokens[design.collateral].address,
            tokens[design.debt].address,
            design.keeper_share_bps,
        )
    else:
        raise TypeError(f"no module for {design.tag_value()}")
    setup.send(admin, market, "setLiquidationModule", contract.address)
    return ModuleHandle(design, contract, setup.deploy("ModuleLens"), trigger, executor)


def configure_module(
    setup: Setup,
    module: ModuleHandle,
    collaterals: Sequence[tuple[Contract, int]],
    *,
    admin: bytes,
) -> None:
    """States each collateral's terms, once the market lists it.

    collaterals: tokens with their decimals
    """
    design = module.design
    if isinstance(design, DutchAuctions) and module.trigger is not None:
        limit = base_units(design.limit_per_collateral_usd, 18)
        penalty = BPS + design.penalty_bps
        for token, _ in collaterals:
            setup.send(admin, module.trigger, "setLimits", token.address, limit, penalty)
    if isinstance(design, EnglishAuctions):
        for token, places in collaterals:
            lot, penalty = base_units(design.largest_lot, places), BPS + design.penalty_bps
            setup.send(admin, module.contract, "setTerms", token.address, lot, penalty)
    if isinstance(design, AbsorbAndSell):
        factor = design.liquidation_factor_bps
        for token, _ in collaterals:
            setup.send(admin, module.contract, "setLiquidationFactor", token.address, factor)


def enroll(
    setup: Setup, module: ModuleHandle, borrowers: Sequence[tuple[bytes, Position]], *, admin: bytes
) -> None:
    """Has a stability pool count the first of its borrowers, with what each owes and holds."""
    design = module.design
    if not isinstance(design, StabilityDeposits):
        return
    fitting = [
        owner
        for owner, position in borrowers
        if any(symbol == design.collateral and amount for symbol, amount in position.supplied)
        and any(symbol == design.debt and amount for symbol, amount in position.borrowed)
    ]
    for owner in fitting[:MOST_ENROLLED]:
        setup.send(admin, module.contract, "enroll", owner)


def equip_participants(
    setup: Setup,
    scenario: Scenario,
    modules: Mapping[str, ModuleHandle],
    router: Contract,
    *,
    decimals: Mapping[str, int],
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
) -> None:
    """Has those who buy from modules approve what takes their tokens, and depositors deposit.

    modules: by the market's name
    """
    for depositor in scenario.agents_of(Depositor):
        module = modules[depositor.venue]
        design = module.design
        if not isinstance(design, StabilityDeposits):
            raise TypeError(f"{depositor.name} has no pool")  # validation refuses it
        amount = base_units(depositor.deposit, decimals[design.debt])
        for index in range(depositor.count):
            owner = account(depositor.name, index).address
            mint(design.debt, owner, amount)
            approve(design.debt, owner, module.contract)
            approve(design.collateral, owner, router)
            if amount:
                setup.send(owner, module.contract, "deposit", amount)
    for buyer in scenario.agents_of(Buyer):
        module = modules[buyer.venue]
        listed = [asset.symbol for asset in scenario.venue_as(Lending, buyer.venue).assets]
        for index in range(buyer.count):
            owner = account(buyer.name, index).address
            for symbol, _ in buyer.capital:
                approve(symbol, owner, module.executor or module.contract)
            if isinstance(module.design, EnglishAuctions):
                for symbol in listed:  # what it wins it sells itself
                    approve(symbol, owner, router)


def _dutch_auction(
    setup: Setup, design: DutchAuctions, market: Contract, admin: bytes
) -> tuple[Contract, Contract]:
    config = (
        base_units(design.buffer, 27),
        design.reset_after_s,
        base_units(design.reset_below, 27),
        design.incentive_bps * WAD // BPS,
        base_units(design.flat_incentive_usd, 18),
    )
    curve = _curve(setup, design.curve)
    auction = setup.deploy("DutchAuction", admin, market.address, curve.address, config)
    trigger = setup.deploy(
        "LiquidationTrigger",
        admin,
        auction.address,
        base_units(design.limit_usd, 18),
        base_units(design.dust_usd, 18),
    )
    setup.send(admin, auction, "setTrigger", trigger.address)
    return auction, trigger


def _curve(setup: Setup, curve: PriceCurve) -> Contract:
    if isinstance(curve, StepCurve):
        cut = curve.cut_bps * RAY // BPS
        return setup.deploy("StairstepExponentialDecrease", curve.step_s, cut)
    if isinstance(curve, LinearCurve):
        return setup.deploy("LinearDecrease", curve.duration_s)
    if isinstance(curve, ExponentialCurve):
        return setup.deploy("ExponentialDecrease", cut_per_second_ray(curve.half_life_s))
    raise TypeError(f"no contract for the curve {curve.tag_value()}")


def cut_per_second_ray(half_life_s: int) -> int:
    """What an exponential curve loses each second (RAY): 1 - 2^(-1/half-life), rounded down."""
    with localcontext() as context:
        context.prec = 60
        return int((1 - Decimal(2) ** (Decimal(-1) / half_life_s)).scaleb(27))
