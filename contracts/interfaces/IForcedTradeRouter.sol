// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Where every forced trade passes
/// @notice Liquidations and margin calls sell through here, so that each forced trade has a number, an origin
/// and its impact on record; and so that the impact of one origin, or of all, can be cut: a cut trade is
/// filled from the sink's inventory at the pool's spot price net of its fee, and leaves the pool as it was.
/// Cutting changes neither the caller's call data nor the events, apart from the amounts.
interface IForcedTradeRouter {
    /// @param id Counts from 1.
    /// @param origin The venue whose rules forced the trade.
    /// @param account Whose position was reduced.
    /// @param spotBefore Price of tokenIn in tokenOut, wei per wei, in WAD squared (1e36), rounded down.
    /// @param spotAfter The same after the trade; equal to spotBefore when cut.
    event ForcedTrade(
        uint256 indexed id,
        address indexed origin,
        address indexed account,
        address pool,
        address tokenIn,
        uint256 amountIn,
        uint256 amountOut,
        uint256 spotBefore,
        uint256 spotAfter
    );

    error NotAdmin(address caller);

    /// @notice No pool is set for this pair, or the pool to be set trades another one.
    error NoPool(address tokenIn, address tokenOut);

    /// @notice The output is below the caller's limit.
    error SlippageExceeded(uint256 amountOut, uint256 minOut);

    function admin() external view returns (address);

    /// @notice The pool for this pair, in either order; zero if there is none.
    function poolOf(address tokenA, address tokenB) external view returns (address);

    function sink() external view returns (address);

    /// @notice Are this origin's trades cut?
    function cut(address origin) external view returns (bool);

    /// @notice Is every trade cut?
    function cutAll() external view returns (bool);

    /// @notice Number of forced trades so far.
    function tradeCount() external view returns (uint256);

    /// @notice Trade this pair, in both directions, in `pool`. Admin only.
    function setPool(address tokenA, address tokenB, address pool) external;

    /// @notice Fill cut trades from `sink`. Admin only.
    function setSink(address sink) external;

    /// @notice Cut the trades of one origin, or stop cutting them. Admin only; emits nothing.
    function setCut(address origin, bool isCut) external;

    /// @notice Cut every trade, or only those whose origin is cut. Admin only; emits nothing.
    function setCutAll(bool isCut) external;

    /// @notice Sell exactly `amountIn` wei of `tokenIn`, taken from the caller.
    /// @return amountOut Wei of `tokenOut`, sent to `to`.
    function sell(
        address origin,
        address account,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) external returns (uint256 amountOut);
}
