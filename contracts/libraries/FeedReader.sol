// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title The checks a consumer owes to a price feed
library FeedReader {
    /// @notice The answer is older than the consumer allows, or the feed has none yet.
    error StalePrice(address feed, uint256 updatedAt);

    /// @notice The answer is at or beyond a bound: a feed that is clamped there reports the bound
    /// itself, so the bound is refused too.
    error AnswerOutOfBounds(address feed, int256 answer);

    /// @notice The latest answer of `feed`, in the feed's own decimals, always above zero.
    /// @param maxAge Seconds; 0 leaves the age unchecked.
    /// @param minAnswer Answers at or below it are refused; below zero counts as zero.
    /// @param maxAnswer Answers at or above it are refused; type(int256).max for no limit.
    function read(IPriceFeed feed, uint256 maxAge, int256 minAnswer, int256 maxAnswer)
        internal
        view
        returns (uint256 answer)
    {
        (, int256 latest,, uint256 updatedAt,) = feed.latestRoundData();
        if (updatedAt == 0 || (maxAge != 0 && block.timestamp > updatedAt + maxAge)) {
            revert StalePrice(address(feed), updatedAt);
        }
        if (latest <= 0 || latest <= minAnswer || latest >= maxAnswer) {
            revert AnswerOutOfBounds(address(feed), latest);
        }
        return uint256(latest);
    }
}
