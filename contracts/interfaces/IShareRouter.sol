// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRedeemingRouter} from "./IRedeemingRouter.sol";

/// @title A router of forced trades that leaves shares of a vault by the better of two ways
/// @notice Where a pool trades the shares against the vault's asset, a sale goes there as long as the pool's
/// marginal price is above what a share is worth; the rest is redeemed as far as the vault can pay, and what
/// it cannot pay goes to the pool at what that gives. That brings the most, up to rounding: the pool pays ever
/// less, and a redemption the same for every share. The redeemed part is the first forced trade, the part sold
/// the second; where something else than the vault's asset is asked for, what both brought is sold on. Shares
/// without such a pool are redeemed as by IRedeemingRouter.
///
/// Where the sale is cut, both parts are filled by the sink at the quotes as they stand, the pool's net of its
/// fee: all of it by whichever pays more at the margin, redeemed only as far as the vault could pay. Where the
/// vault's redemptions are cut, the sink redeems without a limit and the pool trades as ever.
interface IShareRouter is IRedeemingRouter {
    /// @notice How a sale of `amount` by `seller`, who has them, would be divided now.
    /// @return redeemed Shares to be redeemed; the others go to the pool.
    function redeemedOf(address origin, address share, uint256 amount, address seller)
        external
        view
        returns (uint256 redeemed);
}
