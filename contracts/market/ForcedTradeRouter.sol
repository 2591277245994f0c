// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {Math} from "../libraries/Math.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {Sink} from "./Sink.sol";

/// @title ForcedTradeRouter
contract ForcedTradeRouter is IForcedTradeRouter {
    using SafeTransfer for IERC20;

    uint256 private constant PIPS = 1e6;
    uint256 private constant SPOT_UNIT = 1e36;

    address public immutable admin;
    address public sink;
    uint256 public tradeCount;
    bool public cutAll;
    mapping(address origin => bool) public cut;
    mapping(address tokenA => mapping(address tokenB => address pool)) public poolOf;

    modifier onlyAdmin() {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        _;
    }

    constructor(address admin_) {
        admin = admin_;
    }

    function setPool(address tokenA, address tokenB, address pool) external onlyAdmin {
        address token0 = address(IConstantProductPool(pool).token0());
        address token1 = address(IConstantProductPool(pool).token1());
        bool holdsBoth = (tokenA == token0 && tokenB == token1) || (tokenA == token1 && tokenB == token0);
        if (!holdsBoth) revert NoPool(tokenA, tokenB);
        poolOf[tokenA][tokenB] = pool;
        poolOf[tokenB][tokenA] = pool;
    }

    function setSink(address sink_) external onlyAdmin {
        sink = sink_;
    }

    function setCut(address origin, bool isCut) external onlyAdmin {
        cut[origin] = isCut;
    }

    function setCutAll(bool isCut) external onlyAdmin {
        cutAll = isCut;
    }

    function sell(
        address origin,
        address account,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) public virtual returns (uint256 amountOut) {
        IConstantProductPool pool = IConstantProductPool(poolOf[tokenIn][tokenOut]);
        if (address(pool) == address(0)) revert NoPool(tokenIn, tokenOut);
        uint256 spotBefore = _spotDown(pool, tokenIn);
        amountOut = cutAll || cut[origin]
            ? _sellToSink(pool, tokenIn, tokenOut, amountIn, to)
            : _sellToPool(pool, tokenIn, amountIn, to);
        if (amountOut < minOut) revert SlippageExceeded(amountOut, minOut);
        _record(origin, account, pool, tokenIn, amountIn, amountOut, spotBefore);
    }

    function _record(
        address origin,
        address account,
        IConstantProductPool pool,
        address tokenIn,
        uint256 amountIn,
        uint256 amountOut,
        uint256 spotBefore
    ) private {
        uint256 id = ++tradeCount;
        uint256 spotAfter = _spotDown(pool, tokenIn);
        emit ForcedTrade(
            id, origin, account, address(pool), tokenIn, amountIn, amountOut, spotBefore, spotAfter
        );
    }

    function _sellToPool(IConstantProductPool pool, address tokenIn, uint256 amountIn, address to)
        private
        returns (uint256 amountOut)
    {
        amountOut = pool.getAmountOut(tokenIn, amountIn);
        IERC20(tokenIn).safeTransferFrom(msg.sender, address(pool), amountIn);
        PoolTrade.swapOut(pool, tokenIn, amountOut, to);
    }

    function _sellToSink(
        IConstantProductPool pool,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        address to
    ) private returns (uint256 amountOut) {
        (uint256 reserveIn, uint256 reserveOut) = PoolTrade.reservesFrom(pool, tokenIn);
        amountOut = Math.mulDivDown(amountIn * (PIPS - pool.feePips()), reserveOut, reserveIn * PIPS);
        IERC20(tokenIn).safeTransferFrom(msg.sender, sink, amountIn);
        Sink(sink).fill(IERC20(tokenOut), amountOut, to);
    }

    function _spotDown(IConstantProductPool pool, address tokenIn) private view returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = PoolTrade.reservesFrom(pool, tokenIn);
        return Math.mulDivDown(reserveOut, SPOT_UNIT, reserveIn);
    }
}
