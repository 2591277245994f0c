// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A cycle of trades that pays or reverts
interface IArbitrageExecutor {
    /// @param venue A pool, or an external market.
    /// @param kind 0 for a constant-product pool, 1 for an external market.
    /// @param tokenIn What this leg sells; the next leg must sell what this one buys.
    struct Leg {
        address venue;
        uint8 kind;
        address tokenIn;
    }

    event Arbitrage(address indexed trader, address indexed token, uint256 amountIn, uint256 amountOut);

    error Unprofitable(uint256 amountOut, uint256 needed);

    /// @notice Leg `index` does not sell what came before it, or the last leg does not end in the token of
    /// the first.
    error BrokenPath(uint256 index);

    error UnknownKind(uint8 kind);

    /// @notice Send `amountIn` wei of the first leg's token, taken from the caller, round the cycle, each leg
    /// trading all that the one before it paid. All of the proceeds go to the caller.
    /// @param minProfit Wei of the first token; less reverts with Unprofitable.
    function arbitrage(Leg[] calldata legs, uint256 amountIn, uint256 minProfit)
        external
        returns (uint256 amountOut);
}
