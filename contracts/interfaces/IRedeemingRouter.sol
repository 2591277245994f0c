// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IForcedTradeRouter} from "./IForcedTradeRouter.sol";

/// @title A router of forced trades that turns shares of vaults into their assets
/// @notice Selling shares is redeeming them, as far as the vault can pay, a forced trade whose `pool` is the
/// vault; where something else than the vault's asset is asked for, the asset is sold in its pool, a second
/// forced trade. A cut redemption is paid from the sink's inventory at what the shares are worth: it takes no
/// cash out of any market.
interface IRedeemingRouter is IForcedTradeRouter {
    function redeems(address share) external view returns (bool);

    /// @notice Are this vault's redemptions cut, whatever their origin?
    function cutShare(address share) external view returns (bool);

    /// @notice Redeem this token, which is an ERC-4626 vault, where it is sold. Admin only.
    function setRedeems(address share, bool isRedeemed) external;

    /// @notice Admin only; emits nothing.
    function setCutShare(address share, bool isCut) external;
}
