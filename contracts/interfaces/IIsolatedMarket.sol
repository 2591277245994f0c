// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {IFlashBorrower} from "./IFlashBorrower.sol";
import {IPriceFeed} from "./IPriceFeed.sol";

/// @title An isolated lending market: one collateral, one debt, nobody in charge
/// @notice Follows Morpho Blue 1.0.0 (Morpho.sol): the same amounts, to the wei, for the same price and rate.
/// Differences: one market for each contract, interest by a kinked curve, prices from two USD feeds, custom
/// errors, no signatures, and a liquidation may ask for as much as possible.
///
/// Units. `assets`: base units of a token (wei). `shares`: parts of a total of assets, which interest makes
/// dearer. Price: base units of debt for a base unit of collateral, 1e36 is one. `Wad`: 1e18 is one. `Ray`:
/// 1e27 is one. Rates are per year of 365 days.
///
/// Books. Suppliers' shares divide `totalSupplyAssets`, borrowers' shares `totalBorrowAssets`; a share is
/// worth (assets + 1) / (shares + 1e6). The difference of the totals is the market's cash, and the contract
/// holds at least that. Balances are counted, not read: a donation changes nothing. A debt without
/// collateral is taken off both totals at once: the suppliers of that moment bear it. Tokens that charge a fee
/// on transfer or rebase are not supported.
interface IIsolatedMarket {
    /// @param maxAge Seconds after which an answer is refused; 0 leaves the age unchecked.
    /// @param minAnswer Answers at or below it are refused (feed units).
    /// @param maxAnswer Answers at or above it are refused (feed units).
    struct FeedConfig {
        IPriceFeed feed;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
    }

    /// @param lltvWad Debt above this share of the collateral's value may be liquidated, and none is lent
    /// beyond it; below 1.
    /// @param feeWad Share of the interest that `feeRecipient` gets as supply; at most 0.25.
    /// @param baseRateRay Borrow rate at utilisation 0.
    /// @param slope1Ray Added from utilisation 0 to the kink.
    /// @param slope2Ray Added from the kink to utilisation 1.
    /// @param kinkRay Utilisation where the slope changes, above 0 and below 1.
    struct MarketConfig {
        IERC20 collateralToken;
        IERC20 debtToken;
        FeedConfig collateralFeed;
        FeedConfig debtFeed;
        uint256 lltvWad;
        uint256 feeWad;
        address feeRecipient;
        uint256 baseRateRay;
        uint256 slope1Ray;
        uint256 slope2Ray;
        uint256 kinkRay;
    }

    struct MarketState {
        uint256 totalSupplyAssets;
        uint256 totalSupplyShares;
        uint256 totalBorrowAssets;
        uint256 totalBorrowShares;
        uint256 updatedAt;
    }

    event OperatorSet(address indexed owner, address indexed operator, bool allowed);
    event InterestAccrued(uint256 ratePerSecondWad, uint256 interest, uint256 feeShares);
    event Supply(address indexed payer, address indexed account, uint256 assets, uint256 shares);
    event Withdraw(address indexed account, address indexed to, uint256 assets, uint256 shares);
    event Borrow(address indexed account, address indexed to, uint256 assets, uint256 shares);
    event Repay(address indexed payer, address indexed account, uint256 assets, uint256 shares);
    event SupplyCollateral(address indexed payer, address indexed account, uint256 assets);
    event WithdrawCollateral(address indexed account, address indexed to, uint256 assets);
    /// @param fee Always 0.
    event FlashLoan(
        address indexed asset,
        address indexed borrower,
        address indexed initiator,
        uint256 assets,
        uint256 fee
    );

    /// @notice An account was liquidated.
    /// @param repaidAssets Debt the liquidator paid.
    /// @param seizedAssets Collateral it was paid.
    /// @param badDebtAssets Debt that no collateral was left for, taken off the suppliers' total.
    /// @param collateralBefore The account's, before the liquidation.
    /// @param debtBefore The account's, before the liquidation, interest included, rounded up.
    /// @param healthFactorBefore Wad, before the liquidation.
    /// @param collateralPriceWad USD per whole token, as used.
    /// @param debtPriceWad USD per whole token, as used.
    event Liquidate(
        address indexed account,
        address indexed liquidator,
        uint256 repaidAssets,
        uint256 repaidShares,
        uint256 seizedAssets,
        uint256 badDebtAssets,
        uint256 badDebtShares,
        uint256 collateralBefore,
        uint256 debtBefore,
        uint256 healthFactorBefore,
        uint256 collateralPriceWad,
        uint256 debtPriceWad
    );

    error InvalidConfig(string field);
    error NotAuthorised(address owner, address caller);
    error ZeroAmount();
    /// @notice Exactly one of the two amounts must be zero.
    error InconsistentInput(uint256 first, uint256 second);
    /// @notice A total no longer fits 128 bits.
    error AmountTooLarge(uint256 amount);
    error InsufficientShares(address account, uint256 shares, uint256 needed);
    error InsufficientCollateral(address account, uint256 collateral, uint256 needed);
    error InsufficientCash(uint256 cash, uint256 needed);
    error Unhealthy(address account, uint256 healthFactorWad);
    error Healthy(address account, uint256 healthFactorWad);

    // ---- Suppliers. Of `assets` and `shares` one is given and the other zero; both are returned.

    /// @notice Pulls debt tokens from the caller and credits shares to `onBehalf`; rounds against the supplier.
    function supply(uint256 assets, uint256 shares, address onBehalf)
        external
        returns (uint256 suppliedAssets, uint256 suppliedShares);

    /// @notice Burns shares of `owner` and pays `to`; rounds against the supplier.
    function withdraw(uint256 assets, uint256 shares, address owner, address to)
        external
        returns (uint256 withdrawnAssets, uint256 withdrawnShares);

    // ---- Borrowers

    /// @notice Pulls collateral from the caller for `onBehalf`.
    function supplyCollateral(uint256 assets, address onBehalf) external;

    /// @notice Pays collateral of `owner` to `to`; an owner in debt must stay healthy.
    function withdrawCollateral(uint256 assets, address owner, address to) external;

    /// @notice Lends to `owner`, who must be healthy afterwards, and pays `to`; rounds against the borrower.
    function borrow(uint256 assets, uint256 shares, address owner, address to)
        external
        returns (uint256 borrowedAssets, uint256 borrowedShares);

    /// @notice Pulls debt tokens from the caller to repay `onBehalf`; rounds against the borrower. Giving all
    /// of the account's shares clears the debt.
    function repay(uint256 assets, uint256 shares, address onBehalf)
        external
        returns (uint256 repaidAssets, uint256 repaidShares);

    /// @notice Lets `operator` withdraw, withdraw collateral and borrow for the caller.
    function setOperator(address operator, bool allowed) external;

    // ---- Liquidation

    /// @notice Repays debt of an account whose health factor is below 1 and seizes collateral of the same
    /// value times the incentive factor; any part or all of it. If no collateral is left, the rest of the debt is
    /// taken off both totals.
    /// @param seizedAssets Collateral to seize, or 0.
    /// @param repaidShares Debt shares to repay, or 0; type(uint256).max for all the debt, or as much as the
    /// collateral pays for.
    /// @param data If not empty, the caller is called back (IIsolatedLiquidationCallee) with the collateral in
    /// hand, before the debt is pulled from it.
    function liquidate(address account, uint256 seizedAssets, uint256 repaidShares, bytes calldata data)
        external
        returns (uint256 repaid, uint256 seized);

    /// @notice What `liquidate` would do now; reverts where it would.
    function quoteLiquidation(address account, uint256 seizedAssets, uint256 repaidShares)
        external
        view
        returns (uint256 repaid, uint256 seized, uint256 badDebt, uint256 healthFactorWad);

    // ---- Anybody

    /// @notice Lends any amount the contract holds of either token, free, until the end of the call: sends it to
    /// `borrower`, calls it (IFlashBorrower, with a fee of 0), then pulls it back from there.
    function flashLoan(IFlashBorrower borrower, address asset, uint256 assets, bytes calldata data) external;

    /// @notice Charges interest up to now. Every function above does so first, but for supplyCollateral and
    /// flashLoan, which it does not touch.
    function accrueInterest() external;

    // ---- Views; everything is at this block's time, interest included

    function marketConfig() external view returns (MarketConfig memory);

    function collateralToken() external view returns (IERC20);

    function debtToken() external view returns (IERC20);

    function lltvWad() external view returns (uint256);

    /// @notice Collateral value seized for a unit of debt value repaid.
    function incentiveFactorWad() external view returns (uint256);

    function isOperator(address owner, address operator) external view returns (bool);

    function marketState() external view returns (MarketState memory);

    /// @notice The fee recipient's shares include the fee on interest up to now.
    function position(address account)
        external
        view
        returns (uint256 supplyShares, uint256 borrowShares, uint256 collateral);

    /// @notice Base units of debt for a base unit of collateral, 1e36 is one. Reverts with StalePrice or
    /// AnswerOutOfBounds.
    function price() external view returns (uint256);

    /// @notice USD per whole token.
    function pricesWad() external view returns (uint256 collateralPriceWad, uint256 debtPriceWad);

    /// @notice Wad; type(uint256).max without debt, whatever the feeds say.
    function healthFactor(address account) external view returns (uint256);
}
