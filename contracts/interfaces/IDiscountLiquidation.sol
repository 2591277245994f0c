// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "./ILiquidationModule.sol";

/// @title A discount that grows with ill health
/// @notice After Euler v2 (EVK, modules/Liquidation.sol): collateral is sold at (1 - discount) of its
/// value, discount = 1 - health factor, at most `maxDiscountWad` (20% there). There is no close factor.
/// Euler's liquidator inherits the debt; here it repays at once (as in Euler v1), which a flash loan
/// makes the same to it without a position of its own.
///
/// While the cap does not bind, collateral covers the whole debt, and a partial liquidation raises the health
/// factor, down to health = sqrt(liquidation threshold), for one collateral.
interface IDiscountLiquidation is ILiquidationModule {
    /// @param repaid Debt assets the liquidator paid.
    /// @param seized Collateral assets it got.
    event DiscountedLiquidation(
        address indexed account,
        address indexed liquidator,
        address collateralAsset,
        address debtAsset,
        uint256 repaid,
        uint256 seized,
        uint256 discountWad,
        uint256 healthFactorWad
    );

    /// @notice The repayment buys less collateral than asked for.
    error TooLittle(uint256 seized, uint256 minSeized);

    function maxDiscountWad() external view returns (uint256);

    /// @notice Repays at most `repayAssets` (type(uint256).max for all) of the debt, pulled from the caller, and
    /// seizes collateral at the discount. Collateral worth nothing is seized for nothing, so that the
    /// debt behind it can be written off.
    /// @param receiveClaims Pay in claims, which needs no cash.
    function liquidate(
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        uint256 minSeized,
        bool receiveClaims,
        address to
    ) external returns (uint256 repaid, uint256 seized);

    /// @notice What `liquidate` would do now, cash and grace period not looked at.
    function quote(address account, address collateralAsset, address debtAsset, uint256 repayAssets)
        external
        view
        returns (uint256 repaid, uint256 seized, uint256 discountWad);
}
