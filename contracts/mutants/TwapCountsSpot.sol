// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {PoolTwapFeed} from "../oracles/PoolTwapFeed.sol";

/// @title TwapCountsSpot
/// @notice Planted bug, for ORA-1: the price of this moment counts for a second before a second has passed.
contract TwapCountsSpot is PoolTwapFeed {
    constructor(
        IConstantProductPool pool_,
        address base_,
        IPriceFeed quoteFeed_,
        uint256 window_,
        uint16 granularity,
        uint8 decimals_,
        string memory description_
    ) PoolTwapFeed(pool_, base_, quoteFeed_, window_, granularity, decimals_, description_) {}

    function _cumulative() internal view override returns (uint256) {
        (uint256 reserveBase, uint256 reserveQuote) = PoolTrade.reservesFrom(pool, base);
        unchecked {
            return super._cumulative() + (reserveQuote << 112) / reserveBase;
        }
    }
}
