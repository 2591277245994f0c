// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title A feed that computes its answer from others when asked
/// @notice It keeps no history: only the latest round can be read.
abstract contract DerivedFeed is IPriceFeed {
    uint8 public immutable decimals;
    uint256 public constant version = 1;
    string public description;

    /// @notice A setting makes no sense.
    error InvalidConfig(string field);

    constructor(uint8 decimals_, string memory description_) {
        if (decimals_ > 18) revert InvalidConfig("decimals");
        decimals = decimals_;
        description = description_;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _latest();
    }

    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (id, answer, startedAt, updatedAt, answeredInRound) = _latest();
        if (roundId != id) revert NoDataPresent(roundId);
    }

    function _latest() internal view virtual returns (uint80, int256, uint256, uint256, uint80);

    /// @dev An answer in `from` decimals in the feed's own, rounded towards zero.
    function _rescaled(int256 answer, uint8 from) internal view returns (int256) {
        return from <= decimals
            ? answer * int256(10 ** uint256(decimals - from))
            : answer / int256(10 ** uint256(from - decimals));
    }
}
