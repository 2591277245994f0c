// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title ProductFeed
/// @notice One feed's answer times another's, rounded down: a share price in assets and the asset's price give
/// the share's. Nothing above zero comes of an answer that is not. The time is that of the older one; the
/// round is the sum of both, so that it moves whenever one of them does.
contract ProductFeed is DerivedFeed {
    IPriceFeed public immutable first;
    IPriceFeed public immutable second;

    /// @dev answer = floor(first x second x up / down); one of them is 1.
    uint256 private immutable _up;
    uint256 private immutable _down;

    constructor(IPriceFeed first_, IPriceFeed second_, uint8 decimals_, string memory description_)
        DerivedFeed(decimals_, description_)
    {
        first = first_;
        second = second_;
        uint256 given = uint256(first_.decimals()) + second_.decimals();
        _up = 10 ** Math.subFloor(decimals_, given);
        _down = 10 ** Math.subFloor(given, decimals_);
    }

    function _latest() internal view override returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 id, int256 answer,, uint256 updatedAt,) = first.latestRoundData();
        (uint80 secondId, int256 secondAnswer,, uint256 secondUpdatedAt,) = second.latestRoundData();
        id += secondId;
        if (secondUpdatedAt < updatedAt) updatedAt = secondUpdatedAt;
        answer = answer <= 0 || secondAnswer <= 0
            ? int256(0)
            : int256(Math.mulDivDown(uint256(answer) * _up, uint256(secondAnswer), _down));
        return (id, answer, updatedAt, updatedAt, id);
    }
}
