// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Chainlink's AggregatorV3Interface
/// @notice An answer is USD per whole token, with `decimals` decimals (8 unless said otherwise).
interface IPriceFeed {
    /// @notice The feed holds no such round (round 0 stands for the latest).
    error NoDataPresent(uint80 roundId);

    function decimals() external view returns (uint8);

    function description() external view returns (string memory);

    function version() external view returns (uint256);

    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    function latestRoundData()
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
