// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title StuckFeed
/// @notice A feed that cannot go below its minimum, and goes on being updated there, as Chainlink's aggregator did
/// with LUNA in May 2022: the market was at $0.01 and Venus lent at $0.107. With `staleFrom`, one that no longer
/// hears of its source's rounds from that time on. A consumer that refuses an answer at the minimum
/// (FeedReader's minAnswer) or an old one (maxAge) is safe from both.
/// @dev The source's rounds count from 1 without a gap, in order of time, as PushFeed's do.
contract StuckFeed is IPriceFeed {
    IPriceFeed public immutable source;

    /// @notice Smallest answer it gives, in the source's decimals.
    int256 public immutable minimum;

    /// @notice Rounds updated at this time or later are not heard of; type(uint256).max for never.
    uint256 public immutable staleFrom;
    uint8 public immutable decimals;
    uint256 public constant version = 1;
    string public description;

    constructor(IPriceFeed source_, int256 minimum_, uint256 staleFrom_, string memory description_) {
        source = source_;
        minimum = minimum_;
        staleFrom = staleFrom_;
        decimals = source_.decimals();
        description = description_;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 id,,, uint256 updatedAt,) = source.latestRoundData();
        return _round(updatedAt < staleFrom ? id : _lastHeard(id));
    }

    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (id, answer, startedAt, updatedAt, answeredInRound) = _round(roundId);
        if (updatedAt >= staleFrom) revert NoDataPresent(roundId);
    }

    function _round(uint80 roundId)
        internal
        view
        virtual
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (id, answer, startedAt, updatedAt, answeredInRound) = source.getRoundData(roundId);
        if (answer < minimum) answer = minimum;
    }

    /// @dev The last round before `staleFrom`, by halving; round 0, which no source has, if there is none.
    function _lastHeard(uint80 latest) private view returns (uint80 heard) {
        uint80 unheard = latest;
        while (unheard - heard > 1) {
            uint80 middle = heard + (unheard - heard) / 2;
            (,,, uint256 updatedAt,) = source.getRoundData(middle);
            if (updatedAt < staleFrom) heard = middle;
            else unheard = middle;
        }
    }
}
