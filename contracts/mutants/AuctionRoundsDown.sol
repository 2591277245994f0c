// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {DutchAuction} from "../liquidation/DutchAuction.sol";

/// @title AuctionRoundsDown
/// @notice Planted bug, for AUC-3: a buyer of a part pays a base unit less than it costs.
contract AuctionRoundsDown is DutchAuction {
    constructor(address admin_, IPooledMarket market_, IPriceCurve curve_, Config memory config_)
        DutchAuction(admin_, market_, curve_, config_)
    {}

    function _purchase(Sale storage s, uint256 lot, uint256 maxLot, uint256 priceRay)
        internal
        view
        override
        returns (uint256 bought, uint256 paid)
    {
        (bought, paid) = super._purchase(s, lot, maxLot, priceRay);
        if (paid != 0 && paid != s.tab) --paid;
    }
}
