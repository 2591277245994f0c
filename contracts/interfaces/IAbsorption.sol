// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "./ILiquidationModule.sol";

/// @title Absorb accounts, and sell their collateral from reserves
/// @notice After Compound III (comet, Comet.sol: absorb, buyCollateral, quoteCollateral); its names in brackets.
/// One asset is lent [base]. Anyone may have an unhealthy account absorbed: all of its collateral goes to the
/// module, its debt is gone, and what value x liquidation factor exceeds the debt by is credited to it, in claims.
/// Anyone may then buy the collateral, while reserves are below their target, at
///
///     ask = price x (1 - storeFrontPriceFactor x (1 - liquidationFactor))
///
/// Reserves here: the market's, less its deficit, less what the module owes for accounts absorbed, plus
/// what it has of the base asset: as in Comet, collateral not sold yet does not count. What the module owes
/// bears interest until it is repaid from sales; in Comet the loss is the reserves' at once, without interest.
/// `settle` moves what is left, once the collateral is sold, into the deficit, and sets reserves against it.
interface IAbsorption is ILiquidationModule {
    /// @param collateralUsd Value of all claims absorbed, USD Wad.
    /// @param debt Base assets that the account owed.
    /// @param credited Base assets it was left with, in claims.
    event Absorb(
        address indexed absorber,
        address indexed account,
        uint256 collateralUsd,
        uint256 debt,
        uint256 credited,
        uint256 healthFactorWad
    );

    /// @param baseAssets Paid by the buyer.
    /// @param priceWad What the market took the asset to be worth then.
    /// @param basePriceWad And the base asset.
    event BuyCollateral(
        address indexed buyer,
        address indexed asset,
        uint256 baseAssets,
        uint256 collateralAssets,
        uint256 priceWad,
        uint256 basePriceWad
    );

    event LiquidationFactorSet(address indexed asset, uint256 factorBps);

    /// @notice The account owes something other than the base asset.
    error OtherDebt(address account, address asset);

    /// @notice No liquidation factor was set.
    error NotAbsorbed(address asset);

    /// @notice Reserves are at their target.
    error NotForSale(int256 reserves, uint256 target);

    error TooLittle(uint256 collateralAssets, uint256 minAssets);
    error InsufficientCollateral(address asset, uint256 available, uint256 needed);

    function admin() external view returns (address);

    /// @notice The asset that is lent.
    function base() external view returns (address);

    /// @notice Base assets.
    function targetReserves() external view returns (uint256);

    /// @notice Share of the liquidation penalty that buyers get (Bps).
    function storeFrontPriceFactorBps() external view returns (uint256);

    /// @notice Share of an asset's value that the account is credited (Bps); 0 until it is set.
    function liquidationFactorBps(address asset) external view returns (uint256);

    /// @notice At most 10000, above 0. Admin only.
    function setLiquidationFactor(address asset, uint256 factorBps) external;

    /// @notice Absorbs unhealthy accounts, all or none.
    function absorb(address[] calldata accounts) external;

    /// @notice Sells collateral for `baseAssets`, pulled from the caller. Where that would buy more than there is,
    /// sells all there is, if that is `minAssets` at least, for what it costs, rounded up.
    /// @param minAssets Least collateral to get.
    /// @param receiveClaims Pay in claims, which needs no cash in the market.
    function buyCollateral(
        address asset,
        uint256 minAssets,
        uint256 baseAssets,
        address to,
        bool receiveClaims
    ) external returns (uint256 collateralAssets);

    /// @notice Sets what the module has of the base asset against what it owes; if it has no collateral
    /// left, the rest of its debt becomes deficit, and reserves are set against that.
    function settle() external;

    /// @notice Base assets; see above.
    function reserves() external view returns (int256);

    /// @notice Collateral assets that `baseAssets` buy now, rounded down.
    function quoteCollateral(address asset, uint256 baseAssets) external view returns (uint256);

    /// @notice USD Wad per whole token, rounded up.
    function askPriceWad(address asset) external view returns (uint256);

    /// @notice Collateral assets for sale [getCollateralReserves].
    function collateralReserves(address asset) external view returns (uint256);
}
