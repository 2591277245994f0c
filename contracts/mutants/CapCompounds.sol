// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {CappedGrowthFeed} from "../oracles/CappedGrowthFeed.sol";

/// @title CapCompounds
/// @notice Planted bug, for ORA-4: the cap grows with interest on interest.
contract CapCompounds is CappedGrowthFeed {
    constructor(
        IPriceFeed source_,
        uint256 referenceAnswer_,
        uint256 referenceTime_,
        uint256 maxGrowthPerSecondRay_,
        string memory description_
    )
        CappedGrowthFeed(source_, referenceAnswer_, referenceTime_, maxGrowthPerSecondRay_, description_)
    {}

    function cap() public view override returns (uint256) {
        return Math.mulDivDown(
            referenceAnswer,
            Math.rpowNearest(Math.RAY + maxGrowthPerSecondRay, block.timestamp - referenceTime),
            Math.RAY
        );
    }
}
