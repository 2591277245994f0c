// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {MedianFeed} from "../oracles/MedianFeed.sol";

/// @title MedianCountsStale
/// @notice Planted bug, for ORA-2: a source that has gone silent goes on counting.
contract MedianCountsStale is MedianFeed {
    constructor(
        IPriceFeed[] memory sources_,
        uint256 maxAge_,
        uint256 quorum_,
        uint8 decimals_,
        string memory description_
    ) MedianFeed(sources_, maxAge_, quorum_, decimals_, description_) {}

    function _counts(int256 answer, uint256 updatedAt) internal pure override returns (bool) {
        return answer > 0 && updatedAt != 0;
    }
}
