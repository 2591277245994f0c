// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {StuckFeed} from "../oracles/StuckFeed.sol";

/// @notice Planted bug: gives a round as its source has it, below the minimum too (ORA-5).
contract StuckHearsOn is StuckFeed {
    constructor(IPriceFeed source_, int256 minimum_, uint256 staleFrom_, string memory description_)
        StuckFeed(source_, minimum_, staleFrom_, description_)
    {}

    function _round(uint80 roundId)
        internal
        view
        override
        returns (uint80, int256, uint256, uint256, uint80)
    {
        return source.getRoundData(roundId);
    }
}
