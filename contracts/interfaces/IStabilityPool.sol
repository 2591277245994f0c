// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "./ILiquidationModule.sol";

/// @title A stability pool, and redistribution when it is empty
/// @notice After Liquity v1 (StabilityPool.sol, TroveManager.sol). Depositors put up the debt asset in advance.
/// A liquidation burns deposits, in proportion, against the debt, and gives them the collateral; what the pool
/// does not cover is spread, debt and collateral, over the other borrowers by their collateral.
///
/// One collateral, one debt asset. Differences from Liquity: the collateral stays in the market as claims
/// and goes on earning; redistribution is applied to everybody at once, where Liquity applies it to an
/// account when it is next used, so that stakes need no correction; it reaches enrolled accounts only, and
/// anyone may enroll any borrower; deposits may be withdrawn while accounts are unhealthy; the keeper is paid
/// in collateral alone; a loss is always rounded up.
interface IStabilityPool is ILiquidationModule {
    /// @notice What a deposit was made at.
    struct Snapshot {
        uint256 product;
        uint256 sum;
        uint128 scale;
        uint128 epoch;
    }

    event Deposited(address indexed depositor, uint256 amount, uint256 deposit);
    event Withdrawn(address indexed depositor, uint256 amount, uint256 deposit);

    /// @notice Scaled claims paid out.
    event GainPaid(address indexed depositor, uint256 scaledClaims);
    event Enrolled(address indexed account);

    /// @param offset Debt assets that the pool paid. @param gained Scaled claims it got for them.
    /// @param spreadDebt, spreadClaims Scaled, given to `recipients` other accounts.
    /// @param keeperClaims Scaled, paid to the caller.
    event Liquidated(
        address indexed account,
        address indexed keeper,
        uint256 offset,
        uint256 gained,
        uint256 spreadDebt,
        uint256 spreadClaims,
        uint256 recipients,
        uint256 keeperClaims
    );

    /// @notice Without both claims in the collateral and a debt there is nothing to enroll.
    error NotBorrower(address account);
    error AlreadyEnrolled(address account);
    error TooManyEnrolled();

    /// @notice The pool does not cover the debt and there is no other borrower.
    error NobodyToCarry(address account);

    function collateralAsset() external view returns (address);
    function debtAsset() external view returns (address);

    /// @notice Share of the collateral that the keeper gets (Bps; Liquity: 50).
    function keeperShareBps() external view returns (uint256);

    /// @notice Debt assets of all depositors.
    function totalDeposits() external view returns (uint256);

    /// @notice Product of (1 - offset / deposits), Wad times a power of 1e9 (`scale`) [P].
    function product() external view returns (uint256);
    function scale() external view returns (uint128);

    /// @notice Number of times that the pool was emptied by a liquidation.
    function epoch() external view returns (uint128);

    /// @notice Sum of collateral per deposit x product, Wad x Wad scaled claims [epochToScaleToSum].
    function sumOf(uint128 epoch, uint128 scale) external view returns (uint256);

    /// @notice Debt assets left of a deposit, rounded down.
    function depositOf(address depositor) external view returns (uint256);

    /// @notice Scaled claims gained since the last deposit or withdrawal, rounded down.
    function gainOf(address depositor) external view returns (uint256);

    /// @notice Accounts that carry redistributed debt.
    function enrolled() external view returns (address[] memory);

    /// @notice Makes a borrower share in redistribution, 1024 of them at most. Anyone may.
    function enroll(address account) external;

    /// @notice Pulls debt assets from the caller; pays out what it has gained.
    function deposit(uint256 amount) external;

    /// @notice Pays back at most `amount` and what the caller has gained; 0 for the gain alone.
    function withdraw(uint256 amount) external returns (uint256 paid);

    /// @notice Liquidates an unhealthy account as far as its claims in the collateral go.
    function liquidate(address account) external;
}
