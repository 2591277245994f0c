// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title BoundedFeed
/// @notice A feed that may not leave another one by more than a share of it. Beyond, the feed either answers
/// with the bound (`clamps`) or refuses: clamping keeps a market open at a price nobody trades at,
/// refusing stops it. Decimals and round are the primary's; the time is that of the older of the two, so that a
/// consumer's age check covers both.
contract BoundedFeed is DerivedFeed {
    uint256 private constant BPS = 1e4;

    /// @notice Whose answer is given.
    IPriceFeed public immutable primary;

    /// @notice Whose answer it is held against; at most 18 decimals.
    IPriceFeed public immutable anchor;

    /// @notice Largest distance, as a share of the anchor's answer; below 1.
    uint256 public immutable maxDeviationBps;

    /// @notice Answer with the bound rather than refuse?
    bool public immutable clamps;

    uint8 private immutable _anchorDecimals;

    /// @notice The primary is too far from the anchor; both in the primary's decimals.
    error DeviationTooLarge(int256 answer, int256 anchorAnswer);

    /// @notice The anchor gives nothing to hold against.
    error InvalidAnchor(int256 anchorAnswer);

    constructor(
        IPriceFeed primary_,
        IPriceFeed anchor_,
        uint256 maxDeviationBps_,
        bool clamps_,
        string memory description_
    ) DerivedFeed(primary_.decimals(), description_) {
        if (maxDeviationBps_ >= BPS) revert InvalidConfig("maxDeviationBps");
        primary = primary_;
        anchor = anchor_;
        maxDeviationBps = maxDeviationBps_;
        clamps = clamps_;
        _anchorDecimals = anchor_.decimals();
        if (_anchorDecimals > 18) revert InvalidConfig("anchor");
    }

    function _latest()
        internal
        view
        override
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (, int256 anchorAnswer,, uint256 anchorUpdatedAt,) = anchor.latestRoundData();
        anchorAnswer = _rescaled(anchorAnswer, _anchorDecimals);
        if (anchorAnswer <= 0) revert InvalidAnchor(anchorAnswer);
        (id, answer, startedAt, updatedAt, answeredInRound) = primary.latestRoundData();
        if (anchorUpdatedAt < updatedAt) updatedAt = anchorUpdatedAt;
        if (updatedAt < startedAt) startedAt = updatedAt;

        (int256 lowest, int256 highest) = _bounds(uint256(anchorAnswer));
        if (answer >= lowest && answer <= highest) {
            return (id, answer, startedAt, updatedAt, answeredInRound);
        }
        if (!clamps) revert DeviationTooLarge(answer, anchorAnswer);
        answer = answer < lowest ? lowest : highest;
    }

    /// @dev Both rounded towards the anchor.
    function _bounds(uint256 anchorAnswer) internal view virtual returns (int256 lowest, int256 highest) {
        lowest = int256(Math.mulDivUp(anchorAnswer, BPS - maxDeviationBps, BPS));
        highest = int256(Math.mulDivDown(anchorAnswer, BPS + maxDeviationBps, BPS));
    }
}
