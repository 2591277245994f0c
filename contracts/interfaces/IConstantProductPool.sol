// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title A constant-product pool with Uniswap v2's rules
/// @notice At a fee of 3000 pips every amount is Uniswap v2's, to the wei. Differences: tokens are kept in
/// the order given, the fee is set at deployment, there is no protocol fee and no permit.
interface IConstantProductPool is IERC20 {
    event Mint(address indexed sender, uint256 amount0, uint256 amount1);
    event Burn(address indexed sender, uint256 amount0, uint256 amount1, address indexed to);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);

    /// @notice Called from inside one of the pool's own calls.
    error Locked();

    /// @notice The fee is 100% or more.
    error InvalidFee(uint24 feePips);

    /// @notice token0 and token1 are the same.
    error IdenticalTokens();

    /// @notice The token is in neither place.
    error NotInPool(address token);

    /// @notice A balance does not fit 112 bits.
    error ReserveOverflow(uint256 balance0, uint256 balance1);

    error InsufficientLiquidityMinted();
    error InsufficientLiquidityBurned();
    error InsufficientOutputAmount();
    error InsufficientInputAmount();

    /// @notice The pool does not hold more than what was asked for.
    error InsufficientLiquidity();

    /// @notice The output cannot be sent to one of the pool's tokens.
    error InvalidRecipient(address to);

    /// @notice The product of the reserves, net of the fee, would fall.
    error ProductDecreased();

    /// @notice LP wei locked for good by the first mint.
    function MINIMUM_LIQUIDITY() external view returns (uint256);

    function token0() external view returns (IERC20);

    function token1() external view returns (IERC20);

    /// @notice Fee on the input, in pips (1e-6; 3000 is 0.3%).
    function feePips() external view returns (uint24);

    /// @notice Reserves in wei, and when they last changed in seconds modulo 2^32.
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 updatedAt);

    /// @notice Sum of (price of token0 in token1, as UQ112x112) x seconds, modulo 2^256.
    function price0CumulativeLast() external view returns (uint256);

    /// @notice Sum of (price of token1 in token0, as UQ112x112) x seconds, modulo 2^256.
    function price1CumulativeLast() external view returns (uint256);

    /// @notice The largest output, in wei, that `swap` gives for this input; rounds down.
    function getAmountOut(address tokenIn, uint256 amountIn) external view returns (uint256 amountOut);

    /// @notice Turn the tokens sent beforehand into LP tokens.
    function mint(address to) external returns (uint256 liquidity);

    /// @notice Turn the LP tokens sent beforehand into tokens.
    function burn(address to) external returns (uint256 amount0, uint256 amount1);

    /// @notice Send out these amounts for tokens sent beforehand, or during the call back that is made
    /// when `data` is not empty.
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;

    /// @notice Send what the pool holds above its reserves to `to`.
    function skim(address to) external;

    /// @notice Set the reserves to what the pool holds.
    function sync() external;
}
