// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title CappedGrowthFeed
/// @notice A feed, for share prices above all, that may not exceed a reference that grows in a straight line:
/// reference x (1 + rate x seconds since the reference). A gift to a vault cannot lift the answer past it; a loss
/// shows at once. Everything but the answer is the source's.
/// @dev As Aave's PriceCapAdapterBase (bgd-labs/aave-capo), with the reference fixed for good.
contract CappedGrowthFeed is DerivedFeed {
    IPriceFeed public immutable source;

    /// @notice In the source's decimals, above zero.
    uint256 public immutable referenceAnswer;

    /// @notice Seconds, not in the future at deployment.
    uint256 public immutable referenceTime;

    /// @notice Growth per second as a share of the reference, Ray.
    uint256 public immutable maxGrowthPerSecondRay;

    constructor(
        IPriceFeed source_,
        uint256 referenceAnswer_,
        uint256 referenceTime_,
        uint256 maxGrowthPerSecondRay_,
        string memory description_
    ) DerivedFeed(source_.decimals(), description_) {
        if (referenceAnswer_ == 0) revert InvalidConfig("referenceAnswer");
        if (referenceTime_ > block.timestamp) revert InvalidConfig("referenceTime");
        source = source_;
        referenceAnswer = referenceAnswer_;
        referenceTime = referenceTime_;
        maxGrowthPerSecondRay = maxGrowthPerSecondRay_;
    }

    /// @notice The largest answer at this time, rounded down.
    function cap() public view virtual returns (uint256) {
        return referenceAnswer
            + Math.mulDivDown(
                referenceAnswer, maxGrowthPerSecondRay * (block.timestamp - referenceTime), Math.RAY
            );
    }

    function _latest()
        internal
        view
        override
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (id, answer, startedAt, updatedAt, answeredInRound) = source.latestRoundData();
        uint256 highest = cap();
        if (answer > 0 && uint256(answer) > highest) answer = int256(highest);
    }
}
