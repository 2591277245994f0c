// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashSwapCallee} from "../interfaces/IFlashSwapCallee.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ERC20} from "../tokens/ERC20.sol";

/// @title ConstantProductPool
/// @dev Rules: Uniswap v2 core 1.0.1, UniswapV2Pair.sol.
contract ConstantProductPool is IConstantProductPool, ERC20 {
    using SafeTransfer for IERC20;

    uint256 public constant MINIMUM_LIQUIDITY = 1000;
    uint256 private constant PIPS = 1e6;

    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint24 public immutable feePips;

    uint112 private _reserve0;
    uint112 private _reserve1;
    uint32 private _updatedAt;
    uint256 public price0CumulativeLast;
    uint256 public price1CumulativeLast;
    uint256 private _unlocked = 1;

    modifier locked() {
        if (_unlocked != 1) revert Locked();
        _unlocked = 2;
        _;
        _unlocked = 1;
    }

    constructor(IERC20 token0_, IERC20 token1_, uint24 feePips_)
        ERC20("Constant Product LP", "CP-LP", 18)
    {
        if (address(token0_) == address(token1_)) revert IdenticalTokens();
        if (feePips_ >= PIPS) revert InvalidFee(feePips_);
        token0 = token0_;
        token1 = token1_;
        feePips = feePips_;
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (_reserve0, _reserve1, _updatedAt);
    }

    function getAmountOut(address tokenIn, uint256 amountIn) external view returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = tokenIn == address(token0)
            ? (_reserve0, _reserve1)
            : (_reserve1, _reserve0);
        if (tokenIn != address(token0) && tokenIn != address(token1)) revert NotInPool(tokenIn);
        if (reserveIn == 0 || reserveOut == 0) revert InsufficientLiquidity();
        uint256 netIn = amountIn * (PIPS - feePips);
        return Math.mulDivDown(reserveOut, netIn, reserveIn * PIPS + netIn);
    }

    function mint(address to) external locked returns (uint256 liquidity) {
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0 = balance0 - _reserve0;
        uint256 amount1 = balance1 - _reserve1;
        uint256 supply = totalSupply;
        if (supply == 0) {
            uint256 root = Math.sqrtDown(amount0 * amount1);
            if (root <= MINIMUM_LIQUIDITY) revert InsufficientLiquidityMinted();
            liquidity = root - MINIMUM_LIQUIDITY;
            _mint(address(0), MINIMUM_LIQUIDITY);
        } else {
            liquidity = Math.min(
                Math.mulDivDown(amount0, supply, _reserve0), Math.mulDivDown(amount1, supply, _reserve1)
            );
            if (liquidity == 0) revert InsufficientLiquidityMinted();
        }
        _mint(to, liquidity);
        _update(balance0, balance1);
        emit Mint(msg.sender, amount0, amount1);
    }

    function burn(address to) external locked returns (uint256 amount0, uint256 amount1) {
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 liquidity = balanceOf[address(this)];
        uint256 supply = totalSupply;
        if (supply == 0) revert InsufficientLiquidityBurned();
        amount0 = Math.mulDivDown(liquidity, balance0, supply);
        amount1 = Math.mulDivDown(liquidity, balance1, supply);
        if (amount0 == 0 || amount1 == 0) revert InsufficientLiquidityBurned();
        _burn(address(this), liquidity);
        token0.safeTransfer(to, amount0);
        token1.safeTransfer(to, amount1);
        (balance0, balance1) = _balances();
        _update(balance0, balance1);
        emit Burn(msg.sender, amount0, amount1, to);
    }

    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external locked {
        if (amount0Out == 0 && amount1Out == 0) revert InsufficientOutputAmount();
        uint256 reserve0 = _reserve0;
        uint256 reserve1 = _reserve1;
        if (amount0Out >= reserve0 || amount1Out >= reserve1) revert InsufficientLiquidity();
        if (to == address(token0) || to == address(token1)) revert InvalidRecipient(to);

        if (amount0Out != 0) token0.safeTransfer(to, amount0Out);
        if (amount1Out != 0) token1.safeTransfer(to, amount1Out);
        if (data.length != 0) {
            IFlashSwapCallee(to).onFlashSwap(msg.sender, amount0Out, amount1Out, data);
        }

        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0In = Math.subFloor(balance0, reserve0 - amount0Out);
        uint256 amount1In = Math.subFloor(balance1, reserve1 - amount1Out);
        if (amount0In == 0 && amount1In == 0) revert InsufficientInputAmount();
        _requireProduct(
            balance0 * PIPS - amount0In * feePips, balance1 * PIPS - amount1In * feePips, reserve0, reserve1
        );
        _update(balance0, balance1);
        emit Swap(msg.sender, amount0In, amount1In, amount0Out, amount1Out, to);
    }

    function skim(address to) external locked {
        (uint256 balance0, uint256 balance1) = _balances();
        token0.safeTransfer(to, balance0 - _reserve0);
        token1.safeTransfer(to, balance1 - _reserve1);
    }

    function sync() external locked {
        (uint256 balance0, uint256 balance1) = _balances();
        _update(balance0, balance1);
    }

    function _balances() private view returns (uint256, uint256) {
        return (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    /// @dev Balances net of the fee come in pips of a wei. Their product can pass 2^256: 512 bits.
    function _requireProduct(uint256 net0, uint256 net1, uint256 reserve0, uint256 reserve1) private pure {
        (uint256 high, uint256 low) = Math.mulFull(net0, net1);
        (uint256 oldHigh, uint256 oldLow) = Math.mulFull(reserve0 * PIPS, reserve1 * PIPS);
        if (high < oldHigh || (high == oldHigh && low < oldLow)) revert ProductDecreased();
    }

    /// @dev Accumulates the prices that held until now, then stores the new reserves.
    function _update(uint256 balance0, uint256 balance1) private {
        if (balance0 > type(uint112).max || balance1 > type(uint112).max) {
            revert ReserveOverflow(balance0, balance1);
        }
        uint256 reserve0 = _reserve0;
        uint256 reserve1 = _reserve1;
        unchecked {
            // Both the seconds modulo 2^32 and the accumulators are meant to wrap round.
            uint32 elapsed = uint32(block.timestamp) - _updatedAt;
            if (elapsed != 0 && reserve0 != 0 && reserve1 != 0) {
                price0CumulativeLast += (reserve1 << 112) / reserve0 * elapsed;
                price1CumulativeLast += (reserve0 << 112) / reserve1 * elapsed;
            }
        }
        _reserve0 = uint112(balance0);
        _reserve1 = uint112(balance1);
        _updatedAt = uint32(block.timestamp);
        emit Sync(uint112(balance0), uint112(balance1));
    }
}
