// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PositionMath} from "../libraries/PositionMath.sol";
import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title UncheckedDonation
/// @notice A market whose suppliers may give claims to its reserves, as Euler's EToken.donateToReserves of July 2022,
/// which did not look at what the giver owed: anybody could make their own account unhealthy.
/// @dev The way the protocol was; our market has no such function.
contract UncheckedDonation is PooledMarket {
    event Donated(address indexed asset, address indexed account, uint256 assets);

    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    /// @notice Turns claims of the caller, in assets, into reserves.
    function donateToReserves(address asset, uint256 assets) external nonReentrant {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 claims, uint256 debt) = PositionMath.split(scaledPosition(msg.sender)[id]);
        uint256 burned = _burnClaims(state, assets);
        state.reserves += assets;
        _store(id, state);
        _setScaled(msg.sender, id, claims - burned, debt);
        emit Donated(asset, msg.sender, assets);
        _checkGiver(msg.sender);
    }

    function _checkGiver(address account) internal view virtual {}
}
