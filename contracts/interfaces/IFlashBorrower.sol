// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Receiver of a market's flash loan
interface IFlashBorrower {
    /// @notice Called by the market after it has sent `assets` and before it takes back assets + fee, which
    /// the borrower must have approved by then.
    /// @param initiator Whoever asked the market for the loan.
    function onFlashLoan(address initiator, address asset, uint256 assets, uint256 fee, bytes calldata data)
        external;
}
