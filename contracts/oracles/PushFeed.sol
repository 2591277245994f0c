// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title A feed that one reporter writes
/// @notice Says whatever it is told, zero and negative answers too: the checks are the consumer's.
contract PushFeed is IPriceFeed {
    struct Round {
        int192 answer;
        uint64 updatedAt;
    }

    /// @notice The only account that may transmit.
    address public immutable reporter;
    uint8 public immutable decimals;
    uint256 public constant version = 1;
    string public description;

    /// @notice The latest round; 0 before the first answer.
    uint80 public latestRound;

    mapping(uint80 roundId => Round round) private _rounds;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error NotReporter(address caller);

    /// @notice The answer does not fit 192 bits.
    error AnswerTooLarge(int256 answer);

    constructor(address reporter_, uint8 decimals_, string memory description_) {
        reporter = reporter_;
        decimals = decimals_;
        description = description_;
    }

    /// @notice Open a new round with this answer, in the feed's decimals, at block.timestamp.
    function transmit(int256 answer) external {
        if (msg.sender != reporter) revert NotReporter(msg.sender);
        if (int192(answer) != answer) revert AnswerTooLarge(answer);
        uint80 roundId = ++latestRound;
        _rounds[roundId] = Round({answer: int192(answer), updatedAt: uint64(block.timestamp)});
        emit AnswerUpdated(answer, roundId, block.timestamp);
    }

    function getRoundData(uint80 roundId)
        public
        view
        returns (uint80, int256, uint256, uint256, uint80)
    {
        Round memory round = _rounds[roundId];
        if (roundId == 0 || roundId > latestRound) revert NoDataPresent(roundId);
        return (roundId, round.answer, round.updatedAt, round.updatedAt, roundId);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(latestRound);
    }
}
