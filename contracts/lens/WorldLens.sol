// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IExternalMarket} from "../interfaces/IExternalMarket.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title WorldLens
/// @notice What the harness reads every block, in one call, as words of a fixed order.
contract WorldLens {
    /// @notice Three words for each market: price, fundamental (8 decimals), displacement (base wei, signed).
    /// Then three for each feed: answer (signed), round, time of its last update in seconds; all zero where
    /// the feed has no answer to give. Then two for each pool: reserve0, reserve1, in wei.
    function read(
        IExternalMarket[] calldata markets,
        IPriceFeed[] calldata feeds,
        IConstantProductPool[] calldata pools
    ) external view returns (uint256[] memory words) {
        words = new uint256[](3 * markets.length + 3 * feeds.length + 2 * pools.length);
        uint256 next = 0;
        for (uint256 i = 0; i < markets.length; ++i) {
            (uint256 price, uint256 fundamental, int256 displacement) = markets[i].state();
            words[next++] = price;
            words[next++] = fundamental;
            words[next++] = uint256(displacement);
        }
        for (uint256 i = 0; i < feeds.length; ++i) {
            try feeds[i].latestRoundData() returns (
                uint80 roundId, int256 answer, uint256, uint256 updatedAt, uint80
            ) {
                words[next++] = uint256(answer);
                words[next++] = roundId;
                words[next++] = updatedAt;
            } catch {
                next += 3;
            }
        }
        for (uint256 i = 0; i < pools.length; ++i) {
            (uint112 reserve0, uint112 reserve1,) = pools[i].getReserves();
            words[next++] = reserve0;
            words[next++] = reserve1;
        }
    }

    /// @notice Balance of each holder in wei. Any contract with balanceOf will do: a token, a fee ledger.
    function balances(IERC20 token, address[] calldata holders)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](holders.length);
        for (uint256 i = 0; i < holders.length; ++i) {
            words[i] = token.balanceOf(holders[i]);
        }
    }
}
