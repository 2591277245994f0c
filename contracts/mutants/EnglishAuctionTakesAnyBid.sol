// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {EnglishAuction} from "../liquidation/EnglishAuction.sol";

/// @title EnglishAuctionTakesAnyBid
/// @notice Planted bug, for ENG-1: any higher bid will do, by one base unit, so that the last to bid wins for
/// nothing.
contract EnglishAuctionTakesAnyBid is EnglishAuction {
    constructor(address admin_, IPooledMarket market_, Config memory config_)
        EnglishAuction(admin_, market_, config_)
    {}

    function _leastBid(uint256 bid, uint256) internal pure override returns (uint256) {
        return bid + 1;
    }
}
