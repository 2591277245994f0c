// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title MedianFeed
/// @notice The middle answer of several feeds, or the mean of the two middle ones, rounded down. A source counts
/// if it answers, above zero, and is not older than `maxAge`; too few such sources, and the feed
/// refuses. The time is that of the oldest source counted; the round is the sum of all the sources' rounds, so that
/// it moves whenever one of them does.
contract MedianFeed is DerivedFeed {
    /// @notice Seconds after which a source is left out; 0 leaves the age unchecked.
    uint256 public immutable maxAge;

    /// @notice How many sources must count.
    uint256 public immutable quorum;

    IPriceFeed[] private _sources;
    uint8[] private _sourceDecimals;

    /// @notice Only `counted` sources are fit to count.
    error NoQuorum(uint256 counted, uint256 needed);

    constructor(
        IPriceFeed[] memory sources_,
        uint256 maxAge_,
        uint256 quorum_,
        uint8 decimals_,
        string memory description_
    ) DerivedFeed(decimals_, description_) {
        if (quorum_ == 0 || quorum_ > sources_.length) revert InvalidConfig("quorum");
        maxAge = maxAge_;
        quorum = quorum_;
        for (uint256 i = 0; i < sources_.length; ++i) {
            _sources.push(sources_[i]);
            uint8 sourceDecimals = sources_[i].decimals();
            if (sourceDecimals > 18) revert InvalidConfig("sources");
            _sourceDecimals.push(sourceDecimals);
        }
    }

    function sources() external view returns (IPriceFeed[] memory) {
        return _sources;
    }

    function _latest() internal view override returns (uint80, int256, uint256, uint256, uint80) {
        uint256 count = _sources.length;
        int256[] memory answers = new int256[](count);
        uint256 counted = 0;
        uint256 oldest = type(uint256).max;
        uint256 rounds = 0;
        for (uint256 i = 0; i < count; ++i) {
            try _sources[i].latestRoundData() returns (
                uint80 id, int256 answer, uint256, uint256 updatedAt, uint80
            ) {
                rounds += id;
                if (!_counts(answer, updatedAt)) continue;
                _insert(answers, counted++, _rescaled(answer, _sourceDecimals[i]));
                if (updatedAt < oldest) oldest = updatedAt;
            } catch {
                continue;
            }
        }
        if (counted < quorum) revert NoQuorum(counted, quorum);
        // Above zero, and at most 2^255 when added up as unsigned.
        int256 median =
            int256((uint256(answers[(counted - 1) / 2]) + uint256(answers[counted / 2])) / 2);
        return (uint80(rounds), median, oldest, oldest, uint80(rounds));
    }

    function _counts(int256 answer, uint256 updatedAt) internal view virtual returns (bool) {
        return answer > 0 && updatedAt != 0 && (maxAge == 0 || block.timestamp <= updatedAt + maxAge);
    }

    /// @dev Into the first `length` of `sorted`, which ascend.
    function _insert(int256[] memory sorted, uint256 length, int256 value) private pure {
        while (length != 0 && sorted[length - 1] > value) {
            sorted[length] = sorted[length - 1];
            --length;
        }
        sorted[length] = value;
    }
}
