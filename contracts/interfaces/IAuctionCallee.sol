// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A buyer that sells what it bought before it pays
interface IAuctionCallee {
    /// @notice Called by the auction after it has paid out and before it takes payment from `buyer`.
    /// @param bought Collateral assets paid out.
    /// @param owed Debt assets that will be taken from the buyer.
    function onAuctionTake(address buyer, uint256 bought, uint256 owed, bytes calldata data) external;
}
