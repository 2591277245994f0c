// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFlashBorrower} from "./IFlashBorrower.sol";

/// @title A pooled lending market: suppliers' claims are collateral, one storage for all assets
/// @notice Interest and liquidation follow Aave v3.3 and later (LiquidationLogic.sol, ReserveLogic.sol
/// of aave-v3-origin); each liquidation rule can be switched off.
///
/// Units. `assets`: base units of a token (wei). `scaled`: assets divided by an index. `Ray`: 1e27
/// is one. `Wad`: 1e18 is one; USD amounts and USD prices per whole token are Wad. `Bps`: 1e4 is one.
///
/// Books. For every asset, exactly and after every call:
///
///     cash + totalDebt + deficit == totalClaims + reserves
///     totalDebt   = ceil(totalScaledDebt * borrowIndexRay / RAY)
///     totalClaims = floor(totalScaledSupply * supplyIndexRay / RAY)
///
/// and the accounts' scaled balances sum exactly to the totals. What an operation loses to rounding
/// is booked to the reserves, which never fall by it. Cash is counted here, not read from the token:
/// a donation changes nothing. Tokens that charge a fee on transfer or rebase are not supported.
///
/// Liquidation. Without a module `liquidate` sells collateral at a fixed bonus. With one, only the
/// module may liquidate: it takes claims and debts of an unhealthy account onto its own account here,
/// where they earn and owe interest like anybody's, and disposes of them by its own design. Its
/// account need not be healthy; all else that it does to the books is below, and none of it is
/// open to the admin.
interface IPooledMarket {
    /// @notice What an asset is listed with. Rates are per year of 365 days.
    /// @param asset The token, of at most 18 decimals.
    /// @param feed Its USD price, of at most 18 decimals.
    /// @param maxAge Seconds after which an answer is refused; 0 leaves the age unchecked.
    /// @param minAnswer Answers at or below it are refused (feed units).
    /// @param maxAnswer Answers at or above it are refused (feed units).
    /// @param ltvBps Share of its value that may be borrowed against it.
    /// @param liquidationThresholdBps Share of its value that counts in the health factor.
    /// @param liquidationBonusBps What a liquidator is paid on top when it seizes this asset.
    /// @param protocolShareBps Share of that bonus which goes to the reserves.
    /// @param reserveFactorBps Share of borrowers' interest which goes to the reserves.
    /// @param supplyCap Largest total of claims, in assets; type(uint128).max for none.
    /// @param borrowCap Largest total debt, in assets; type(uint128).max for none.
    /// @param baseRateRay Borrow rate at utilisation 0.
    /// @param slope1Ray Added from utilisation 0 to the kink.
    /// @param slope2Ray Added from the kink to utilisation 1.
    /// @param kinkRay Utilisation where the slope changes, above 0 and below 1.
    struct AssetConfig {
        address asset;
        address feed;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
        uint16 ltvBps;
        uint16 liquidationThresholdBps;
        uint16 liquidationBonusBps;
        uint16 protocolShareBps;
        uint16 reserveFactorBps;
        uint128 supplyCap;
        uint128 borrowCap;
        uint128 baseRateRay;
        uint128 slope1Ray;
        uint128 slope2Ray;
        uint128 kinkRay;
    }

    /// @notice How much one liquidation may close. Aave v3.3: 5000, 0.95e18, 2000e18, 1000e18.
    /// @param closeFactorBps Largest share of the account's whole debt that one liquidation repays,
    /// unless one of the next two rules lets it repay all of the chosen debt; 10000 for all.
    /// @param fullCloseHealthFactorWad At or below this health factor all may be repaid; 0 is off.
    /// @param fullCloseBelowUsdWad If the chosen collateral or the chosen debt is worth less than this,
    /// all may be repaid; 0 is off.
    /// @param minLeftoverUsdWad A liquidation that clears neither the chosen debt nor the chosen
    /// collateral must leave this much of both; 0 is off.
    struct LiquidationConfig {
        uint16 closeFactorBps;
        uint64 fullCloseHealthFactorWad;
        uint128 fullCloseBelowUsdWad;
        uint128 minLeftoverUsdWad;
    }

    /// @notice One asset's books. `cash`, `reserves`, `deficit` in assets.
    struct AssetState {
        uint256 cash;
        uint256 reserves;
        uint256 deficit;
        uint256 totalScaledSupply;
        uint256 totalScaledDebt;
        uint256 supplyIndexRay;
        uint256 borrowIndexRay;
        uint256 updatedAt;
    }

    /// @notice What values a position in one asset.
    struct AssetTerms {
        uint256 supplyIndexRay;
        uint256 borrowIndexRay;
        uint256 priceWad;
        uint256 unit;
        uint256 ltvBps;
        uint256 liquidationThresholdBps;
        uint256 liquidationBonusBps;
    }

    event AssetListed(address indexed asset, uint256 indexed id);
    event AssetConfigured(address indexed asset, AssetConfig config);
    event LiquidationConfigured(LiquidationConfig config);
    event OperatorSet(address indexed owner, address indexed operator, bool allowed);
    event Supply(address indexed asset, address indexed payer, address indexed account, uint256 assets);
    event Withdraw(address indexed asset, address indexed account, address indexed to, uint256 assets);
    event Borrow(address indexed asset, address indexed account, address indexed to, uint256 assets);
    event Repay(address indexed asset, address indexed payer, address indexed account, uint256 assets);

    /// @notice An account was liquidated.
    /// @param repaid Debt assets the liquidator paid.
    /// @param seized Collateral assets the liquidator was paid, in tokens or in claims.
    /// @param protocolFee Collateral assets taken from the account for the reserves, apart from `seized`.
    /// @param repaidUsdWad `repaid` at the price used, rounded down.
    /// @param seizedUsdWad `seized` at the price used, rounded down.
    /// @param healthFactorBefore Wad, before the liquidation.
    /// @param positionBefore One word for each listed asset, before the liquidation at the indexes of
    /// this block: claims in assets, rounded down, << 128 | debt in assets, rounded up.
    /// @param prices Wad per whole token, for each listed asset; 0 where the account had no position,
    /// so that no price was read.
    event Liquidate(
        address indexed account,
        address indexed liquidator,
        address collateralAsset,
        address debtAsset,
        uint256 repaid,
        uint256 seized,
        uint256 protocolFee,
        uint256 repaidUsdWad,
        uint256 seizedUsdWad,
        uint256 healthFactorBefore,
        uint256[] positionBefore,
        uint256[] prices
    );

    /// @notice Admin chose a design of liquidation, before listing any asset.
    event LiquidationModuleSet(address indexed module);

    /// @notice `liquidationsFrom` is a timestamp, type(uint256).max while paused.
    event PausedSet(bool paused, uint256 liquidationsFrom);

    event FlashLoanFeeSet(uint256 feePips);

    event SoftSupplyCapSet(address indexed asset, uint256 cap);

    /// @notice The liquidation module took over part of an account.
    /// @param taken One word for each asset: scaled claims << 128 | scaled debt; assets at the end may be
    /// left out.
    /// @param healthFactorBefore, positionBefore, prices As in the Liquidate event.
    event Confiscate(
        address indexed account,
        address indexed module,
        uint256[] taken,
        uint256 healthFactorBefore,
        uint256[] positionBefore,
        uint256[] prices
    );

    /// @notice The liquidation module gave an account claims, or debts, that were its own.
    /// @param given As `taken` in the Confiscate event.
    event Assign(address indexed account, address indexed module, uint256[] given);

    /// @notice The liquidation module owes `assets` more, and `account` has as many more in claims.
    event Draw(address indexed asset, address indexed module, address indexed account, uint256 assets);

    /// @notice Paid into the reserves by `payer`.
    event ReservesFunded(address indexed asset, address indexed payer, uint256 assets);

    event FlashLoan(
        address indexed asset,
        address indexed borrower,
        address indexed initiator,
        uint256 assets,
        uint256 fee
    );

    /// @notice A liquidator was paid `assets` in claims. Follows the Liquidate event.
    event ClaimsSeized(address indexed asset, address indexed from, address indexed to, uint256 assets);

    /// @notice The account's last collateral is gone, or what the liquidation module raised for it; this
    /// debt was moved into the asset's deficit.
    event BadDebt(address indexed account, address indexed asset, uint256 assets, uint256 usdWad);

    /// @notice The deficit fell. `payer` is zero when the reserves paid.
    event DeficitCovered(address indexed asset, address indexed payer, uint256 assets);

    error NotAdmin(address caller);
    error NotModule(address caller);
    error NotPaused();
    error MarketPaused();
    /// @notice The module is chosen before the first asset is listed, and never after.
    error ModuleFixed();
    /// @notice This market liquidates by a module.
    error OnlyByModule(address module);
    /// @notice Paused, or in the grace period after a pause. A timestamp; type(uint256).max while paused.
    error LiquidationsClosed(uint256 until);
    error NotAuthorised(address owner, address caller);
    error InvalidConfig(address asset, string field);
    error AlreadyListed(address asset);
    error NotListed(address asset);
    error TooManyAssets();
    error ZeroAmount();
    error Reentrancy();
    /// @notice A total no longer fits 128 bits.
    error AmountTooLarge(uint256 amount);
    error SupplyCapExceeded(address asset, uint256 cap, uint256 totalClaims);
    error BorrowCapExceeded(address asset, uint256 cap, uint256 totalDebt);
    error InsufficientCash(address asset, uint256 cash, uint256 needed);
    error InsufficientClaims(address asset, uint256 claims, uint256 needed);
    error BorrowLimitExceeded(address account, uint256 debtUsdWad, uint256 limitUsdWad);
    error Unhealthy(address account, uint256 healthFactorWad);
    error Healthy(address account, uint256 healthFactorWad);
    error SelfLiquidation(address account);
    error NothingToSeize(address account, address collateralAsset);
    error NothingToRepay(address account, address debtAsset);
    error MustNotLeaveDust(address account, uint256 debtLeftUsdWad, uint256 collateralLeftUsdWad);

    // ---- Administration

    /// @notice Lists an asset under the next id. Admin only.
    function listAsset(AssetConfig calldata config) external;

    /// @notice Replaces a listed asset's configuration, after charging interest at the old rates.
    /// Admin only.
    function setAssetConfig(AssetConfig calldata config) external;

    /// @notice Admin only.
    function setLiquidationConfig(LiquidationConfig calldata config) external;

    /// @notice Liquidates by `module` from now on; zero for the fixed bonus. Only while no asset is listed.
    /// Admin only.
    function setLiquidationModule(address module) external;

    /// @notice While paused, whatever moves a balance reverts with MarketPaused. Liquidation stays closed
    /// for `gracePeriod` seconds after it, at most a day, so that borrowers can repay first (as Aave
    /// v3.1's setReservePause). Admin only.
    function setPaused(bool paused, uint256 gracePeriod) external;

    /// @notice While total claims are above `cap` (assets; 0 for none), claims in the asset count for new borrowing
    /// only as far as cap / total: supply goes on to the supplyCap, which is hard, and nobody is liquidated by it.
    /// Admin only.
    function setSoftSupplyCap(address asset, uint256 cap) external;

    /// @notice Of flash loans, in pips (1e-6), at most 1e6. Admin only.
    function setFlashLoanFee(uint256 feePips) external;

    // ---- Accounts

    /// @notice Lets `operator` withdraw and borrow for the caller.
    function setOperator(address operator, bool allowed) external;

    /// @notice Pulls `assets` from the caller and credits claims to `onBehalf`, rounded down.
    function supply(address asset, uint256 assets, address onBehalf) external;

    /// @notice Pays out claims of `owner`; type(uint256).max for all of them. An owner in debt must stay
    /// at a health factor of 1 or more.
    /// @return withdrawn Assets paid to `to`.
    function withdraw(address asset, uint256 assets, address owner, address to)
        external
        returns (uint256 withdrawn);

    /// @notice Lends `assets` to `owner`, paid to `to`; the debt, rounded up, must stay within the LTVs.
    function borrow(address asset, uint256 assets, address owner, address to) external;

    /// @notice Pulls at most `assets` from the caller to repay the debt of `onBehalf`; more than the debt
    /// (so type(uint256).max) repays all of it.
    /// @return repaid Assets pulled.
    function repay(address asset, uint256 assets, address onBehalf) external returns (uint256 repaid);

    // ---- Liquidation

    /// @notice Repays debt of an account whose health factor is below 1 and seizes collateral of the
    /// same value plus the bonus. Repays less where the close factor or the collateral do not allow
    /// `repayAssets` (type(uint256).max for as much as possible).
    /// If no claim of the account in any asset is left, its remaining debts become deficit.
    /// @param receiveClaims Pay in claims, which needs no cash.
    /// @param to Receives the seized tokens or claims.
    /// @return repaid Debt assets pulled from the caller.
    /// @return seized Collateral assets paid to `to`, the protocol's share of the bonus already deducted.
    function liquidate(
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        bool receiveClaims,
        address to
    ) external returns (uint256 repaid, uint256 seized);

    /// @notice What `liquidate` would do now. Reverts where it would, apart from InsufficientCash and
    /// SelfLiquidation.
    function quoteLiquidation(address account, address collateralAsset, address debtAsset, uint256 repayAssets)
        external
        view
        returns (
            uint256 repaid,
            uint256 seized,
            uint256 protocolFee,
            uint256 repaidUsdWad,
            uint256 seizedUsdWad,
            uint256 healthFactorWad
        );

    // ---- The liquidation module; its calls. Words: scaled claims << 128 | scaled debt by asset id, where
    // assets at the end may be left out.

    /// @notice Takes claims and debts of an account whose health factor is below 1 onto the module's own
    /// account. If no claim of the account is left, its remaining debts become deficit.
    function confiscate(address account, uint256[] calldata taken) external;

    /// @notice Gives claims and debts of the module to an account.
    function assign(address to, uint256[] calldata given) external;

    /// @notice Pays `to` in claims for which the module owes: what a liquidation costs is carried by it.
    /// @return scaledDebt What the module owes more, scaled.
    function draw(address asset, uint256 assets, address to) external returns (uint256 scaledDebt);

    /// @notice Moves debt of the module, left over from liquidating `account`, into the deficit.
    function writeOff(address account, address asset, uint256 scaledDebt) external;

    // ---- Flash loans

    /// @notice Sends `assets` to the borrower, calls it, and takes them back with a fee, rounded up, which
    /// goes to the reserves. The borrower may use the market meanwhile.
    function flashLoan(IFlashBorrower borrower, address asset, uint256 assets, bytes calldata data)
        external;

    // ---- Deficit and reserves

    /// @notice Pulls `assets` from the caller into the reserves. Anyone may.
    function fundReserves(address asset, uint256 assets) external;

    /// @notice Sets reserves against the deficit, as far as both go. Anyone may.
    /// @return covered Assets.
    function coverDeficitFromReserves(address asset) external returns (uint256 covered);

    /// @notice The caller pays for the deficit, at most `assets`. Anyone may.
    /// @return covered Assets pulled.
    function coverDeficit(address asset, uint256 assets) external returns (uint256 covered);

    // ---- Views; everything is at this block's time, interest included

    function admin() external view returns (address);

    /// @notice Who liquidates; zero for `liquidate`.
    function liquidationModule() external view returns (address);

    /// @notice When liquidation opens or opened; type(uint256).max while paused, 0 before the first pause.
    function liquidationsFrom() external view returns (uint256);

    function paused() external view returns (bool);

    function flashLoanFeePips() external view returns (uint256);

    function softSupplyCap(address asset) external view returns (uint256);

    function isOperator(address owner, address operator) external view returns (bool);

    function assetCount() external view returns (uint256);

    /// @notice The listed tokens, by id.
    function assets() external view returns (address[] memory);

    function assetConfig(address asset) external view returns (AssetConfig memory);

    function liquidationConfig() external view returns (LiquidationConfig memory);

    function assetState(address asset)
        external
        view
        returns (AssetState memory state, uint256 totalClaims, uint256 totalDebt);

    /// @notice Per year.
    function borrowRateRay(address asset) external view returns (uint256);

    /// @notice USD per whole token. Reverts with StalePrice or AnswerOutOfBounds.
    function priceWad(address asset) external view returns (uint256);

    /// @notice By id; reverts if one feed's answer is refused.
    function pricesWad() external view returns (uint256[] memory);

    /// @notice By id, at the given prices.
    function assetTerms(uint256[] calldata pricesWad_) external view returns (AssetTerms[] memory);

    /// @notice By id: claims, rounded down, << 128 | debt, rounded up, in assets.
    function position(address account) external view returns (uint256[] memory);

    /// @notice By id: scaled claims << 128 | scaled debt.
    function scaledPosition(address account) external view returns (uint256[] memory);

    /// @notice Wad; type(uint256).max without debt. Reverts if the feed of an asset it holds is refused.
    function healthFactor(address account) external view returns (uint256);

    /// @notice As `healthFactor`, at the given prices.
    function healthFactorAt(address account, uint256[] calldata pricesWad_) external view returns (uint256);
}
