// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {BoundedFeed} from "../oracles/BoundedFeed.sol";

/// @title BoundedBelowOnly
/// @notice Planted bug, for ORA-3: nothing holds the answer back on its way up.
contract BoundedBelowOnly is BoundedFeed {
    constructor(
        IPriceFeed primary_,
        IPriceFeed anchor_,
        uint256 maxDeviationBps_,
        bool clamps_,
        string memory description_
    ) BoundedFeed(primary_, anchor_, maxDeviationBps_, clamps_, description_) {}

    function _bounds(uint256 anchorAnswer) internal view override returns (int256 lowest, int256 highest) {
        (lowest,) = super._bounds(anchorAnswer);
        highest = type(int256).max;
    }
}
