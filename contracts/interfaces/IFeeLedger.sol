// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title Prepaid transaction fees
/// @notice A fee is declared gas x bid, bid in token wei per unit of gas. The builder charges every
/// transaction it includes, whether or not that transaction succeeds. The sum of all balances is what the
/// ledger holds: `totalBalance`.
interface IFeeLedger {
    event Deposited(address indexed from, address indexed payer, uint256 amount);
    event Withdrawn(address indexed payer, uint256 amount);
    event FeeCharged(address indexed payer, uint256 gasUnits, uint256 bid, uint256 fee);

    error NotBuilder(address caller);

    /// @notice The three lists are not of one length.
    error LengthMismatch();

    error InsufficientFeeBalance(address payer, uint256 balance, uint256 needed);

    function token() external view returns (IERC20);

    function builder() external view returns (address);

    /// @notice The account whose balance grows by every fee.
    function collector() external view returns (address);

    /// @notice Token wei that this account may spend on fees or withdraw.
    function balanceOf(address payer) external view returns (uint256);

    /// @notice Sum of balanceOf over all accounts, the collector's included.
    function totalBalance() external view returns (uint256);

    /// @notice Sum of all fees ever charged.
    function totalCharged() external view returns (uint256);

    /// @notice Add `amount`, taken from the caller, to the balance of `payer`.
    function deposit(address payer, uint256 amount) external;

    /// @notice Pay `amount` of the caller's balance out to the caller.
    function withdraw(uint256 amount) external;

    /// @notice Move gasUnits[i] x bids[i] from payers[i] to the collector, for every i, or nothing at all.
    /// Builder only.
    function charge(address[] calldata payers, uint256[] calldata gasUnits, uint256[] calldata bids)
        external;
}
