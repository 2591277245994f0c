// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";

/// @title PoolSpotFeed
/// @notice A pool's spot price times the feed of its quote token: what an unwary protocol reads. The round and
/// its times are those of the quote feed; there is no history.
contract PoolSpotFeed is IPriceFeed {
    IConstantProductPool public immutable pool;

    /// @notice The token that is priced, one of the pool's two.
    address public immutable base;

    /// @notice Price of the pool's other token.
    IPriceFeed public immutable quoteFeed;
    uint8 public immutable decimals;
    uint256 public constant version = 1;
    string public description;

    /// @dev answer = floor(quote reserve x quote answer x up / (base reserve x down)); one of them is 1.
    uint256 private immutable _up;
    uint256 private immutable _down;

    error NotInPool(address token);

    /// @notice The pool holds nothing to take a price from.
    error EmptyPool();

    constructor(
        IConstantProductPool pool_,
        address base_,
        IPriceFeed quoteFeed_,
        uint8 decimals_,
        string memory description_
    ) {
        address token0 = address(pool_.token0());
        address token1 = address(pool_.token1());
        if (base_ != token0 && base_ != token1) revert NotInPool(base_);
        pool = pool_;
        base = base_;
        quoteFeed = quoteFeed_;
        decimals = decimals_;
        description = description_;
        uint256 gained = uint256(decimals_) + IERC20(base_).decimals();
        uint256 lost =
            uint256(quoteFeed_.decimals()) + IERC20(base_ == token0 ? token1 : token0).decimals();
        _up = 10 ** Math.subFloor(gained, lost);
        _down = 10 ** Math.subFloor(lost, gained);
    }

    function latestRoundData()
        public
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (uint256 reserveBase, uint256 reserveQuote) = PoolTrade.reservesFrom(pool, base);
        if (reserveBase == 0) revert EmptyPool();
        (id, answer, startedAt, updatedAt, answeredInRound) = quoteFeed.latestRoundData();
        uint256 quoteAnswer = answer > 0 ? uint256(answer) : 0;
        answer = int256(Math.mulDivDown(reserveQuote * _up, quoteAnswer, reserveBase * _down));
    }

    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (id, answer, startedAt, updatedAt, answeredInRound) = latestRoundData();
        if (roundId != id) revert NoDataPresent(roundId);
    }
}
