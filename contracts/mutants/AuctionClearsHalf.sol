// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {DutchAuction} from "../liquidation/DutchAuction.sol";

/// @title AuctionClearsHalf
/// @notice Planted bug, for AUC-2: half of what an auction raised stays in the dirt for good, as an auction that is
/// cancelled without a word to the trigger would leave it.
contract AuctionClearsHalf is DutchAuction {
    constructor(address admin_, IPooledMarket market_, IPriceCurve curve_, Config memory config_)
        DutchAuction(admin_, market_, curve_, config_)
    {}

    function _clear(address collateralAsset, uint256 usd) internal override {
        super._clear(collateralAsset, usd / 2);
    }
}
