// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "./IERC4626.sol";

/// @title A curated vault (ERC-4626): deposits of one asset, lent to several markets as a curator decides
/// @notice Each market is reached through a strategy, an ERC-4626 vault of its own (a receipt vault). What is
/// deposited stays idle until the curator allocates it, as in Yearn's vaults of version 3; who leaves is paid
/// from what is idle, then from the strategies in their order, as far as each has cash, as by the withdrawal
/// queue of Morpho's vaults.
///
/// What a strategy loses is at once off the worth of every share, wherever shares are: that is how a deficit
/// in one market reaches another that takes them as collateral. The vault notes what each has lost whenever it
/// is touched, net of the interest earned since it last was, and anyone may cover what of it fell on shares
/// that are still here. Nothing else that is sent to the vault counts, neither assets nor a strategy's shares,
/// so that nobody can lift the price of a share above what its assets have earned. (A strategy that counts
/// gifts to itself passes them on.)
///
/// Shares have the asset's decimals, the first are one for one, and all is rounded against whoever acts. While
/// shares are worth nothing at all nobody can enter.
interface ICuratedVault is IERC4626 {
    event Allocated(uint256 indexed id, uint256 assets);
    event Deallocated(uint256 indexed id, uint256 assets);

    /// @param assets What the strategy is worth less than when the vault was touched before.
    event Lost(uint256 indexed id, uint256 assets);
    event Covered(uint256 indexed id, address indexed payer, uint256 assets);

    error NotCurator(address caller);
    error WrongAsset(address strategy);
    error DuplicateStrategy(address strategy);

    /// @notice The amount is too small for a single share, nothing was asked for, or shares are worth nothing.
    error ZeroShares();

    /// @notice Idle assets and the cash of all strategies' markets do not pay for this.
    error InsufficientLiquidity(uint256 available, uint256 needed);
    error Reentrancy();

    function curator() external view returns (address);

    function strategyCount() external view returns (uint256);

    /// @return vault Of this strategy.
    /// @return assets What the vault's part of it is worth now, rounded down.
    /// @return lost What it has lost and nobody has covered, as of the last touch.
    function strategy(uint256 id) external view returns (IERC4626 vault, uint256 assets, uint256 lost);

    /// @notice What a strategy was worth after the last touch: what it is worth less by is lost, net of the
    /// interest since.
    function noted(uint256 id) external view returns (uint256);

    /// @notice Of what a strategy has lost and nobody has covered, what fell on shares that are still here, as
    /// of the last touch: those that left have borne theirs.
    function coverable(uint256 id) external view returns (uint256);

    /// @notice Assets that are with no strategy.
    function idle() external view returns (uint256);

    /// @notice What could be paid out now. Strategies that share one market's cash each count it.
    function liquidity() external view returns (uint256);

    /// @notice Puts idle assets into a strategy. Curator only.
    function allocate(uint256 id, uint256 assets) external;

    /// @notice Takes assets out of a strategy; they are idle then. Curator only.
    function deallocate(uint256 id, uint256 assets) external;

    /// @notice Notes losses. Anyone may.
    function touch() external;

    /// @notice The caller makes good what a strategy has lost, at most `assets` and what is coverable, in cash
    /// that is idle then.
    function cover(uint256 id, uint256 assets) external returns (uint256 covered);
}
