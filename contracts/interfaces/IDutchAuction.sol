// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "./ILiquidationModule.sol";
import {ILiquidationTrigger} from "./ILiquidationTrigger.sol";
import {IPriceCurve} from "./IPriceCurve.sol";

/// @title Dutch auctions
/// @notice After MakerDAO dss, clip.sol (Liquidations 2.0); Maker's names in brackets. The price starts at
/// `bufRay` times the oracle's and falls along the curve; anybody buys any part at once.
///
/// The auction holds the collateral as claims and owes the debt in the market, where both go on earning and
/// owing interest: the lot grows with it, and the debt does not stop. What sales raise repays the debt; what
/// is over goes to the reserves; what is left of the debt when the lot is sold is written off; what is left
/// of the lot when `tab` is raised goes back to the account. Incentives are added to the debt; auctions of dust
/// pay none, so that the trigger's `dustUsd` must be well above `tipUsd` (Maker has no vaults that small).
///
/// Prices: base units of the debt asset per base unit of the collateral, Ray.
interface IDutchAuction is ILiquidationModule {
    /// @param bufRay Starting price over the oracle's [buf].
    /// @param tail Seconds until a reset is needed [tail].
    /// @param cuspRay Price over the starting price below which a reset is needed [cusp].
    /// @param chipWad Incentive per unit of tab [chip].
    /// @param tipUsd Flat incentive, USD Wad [tip].
    struct Config {
        uint128 bufRay;
        uint64 tail;
        uint128 cuspRay;
        uint64 chipWad;
        uint128 tipUsd;
    }

    /// @param scaledClaims The lot [lot], scaled.
    /// @param scaledDebt The debt it answers for, scaled; without the penalty, with the incentives.
    /// @param tab Debt assets still to be raised, penalty included [tab].
    /// @param dirtUsd Part of the trigger's dirt, USD Wad.
    /// @param leastTab Debt assets that a purchase must leave to be raised, or clear [chost].
    /// @param topRay Starting price [top].
    /// @param startedAt Of the price [tic].
    struct Sale {
        address account;
        address collateralAsset;
        address debtAsset;
        uint128 scaledClaims;
        uint128 scaledDebt;
        uint128 tab;
        uint128 dirtUsd;
        uint128 leastTab;
        uint64 startedAt;
        uint256 topRay;
    }

    /// @param lot Collateral assets. @param tab, incentive Debt assets.
    event Kick(
        uint256 indexed id,
        address indexed account,
        address indexed keeper,
        address collateralAsset,
        address debtAsset,
        uint256 topRay,
        uint256 lot,
        uint256 tab,
        uint256 incentive
    );

    /// @param bought Collateral assets. @param paid Debt assets. @param lot, tab What is left of both.
    event Take(
        uint256 indexed id,
        address indexed buyer,
        address indexed account,
        uint256 priceRay,
        uint256 bought,
        uint256 paid,
        uint256 lot,
        uint256 tab
    );

    event Redo(uint256 indexed id, address indexed keeper, uint256 topRay, uint256 incentive);

    /// @param returnedScaled Claims given back to the account. @param unpaidScaled Debt written off.
    event Closed(uint256 indexed id, uint256 returnedScaled, uint256 unpaidScaled);

    event TriggerSet(address indexed trigger);

    error NotTrigger(address caller);
    error TriggerFixed();
    error NotRunning(uint256 id);

    /// @notice The price has fallen too far, or for too long: `redo` first.
    error NeedsReset(uint256 id);

    error ResetNotNeeded(uint256 id);

    /// @notice The price is above the buyer's limit.
    error TooExpensive(uint256 priceRay, uint256 maxPriceRay);

    /// @notice Too little is left to be raised for a part of it to be bought.
    error NoPartialPurchase(uint256 tab, uint256 leastTab);

    function admin() external view returns (address);
    function trigger() external view returns (ILiquidationTrigger);
    function curve() external view returns (IPriceCurve);
    function config() external view returns (Config memory);

    /// @notice Number of auctions so far; the first is 1.
    function kicks() external view returns (uint256);

    /// @notice Auctions that are running.
    function list() external view returns (uint256[] memory ids);

    function sale(uint256 id) external view returns (Sale memory);

    /// @return needsReset `take` is refused until `redo`.
    /// @return priceRay Now.
    /// @return lot Collateral assets left.
    /// @return tab Debt assets still to be raised.
    function status(uint256 id)
        external
        view
        returns (bool needsReset, uint256 priceRay, uint256 lot, uint256 tab);

    /// @notice Once. Admin only.
    function setTrigger(ILiquidationTrigger trigger) external;

    /// @notice Starts an auction. Trigger only.
    /// @param terms `topRay` and `startedAt` are set here.
    function kick(Sale calldata terms, address keeper) external returns (uint256 id);

    /// @notice Starts the price anew from the oracle's; pays the incentive again, if lot and tab are no dust.
    function redo(uint256 id, address keeper) external;

    /// @notice Buys at most `maxLot` of the lot, no more than it takes to raise `tab`.
    /// @param maxPriceRay Refuse a higher price.
    /// @param to Receives the collateral; if `data` is not empty it is then called (IAuctionCallee), before
    /// payment is pulled from the caller.
    /// @param receiveClaims Pay out claims, which needs no cash in the market.
    /// @return bought Collateral assets.
    /// @return paid Debt assets.
    function take(
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        address to,
        bool receiveClaims,
        bytes calldata data
    ) external returns (uint256 bought, uint256 paid);
}
