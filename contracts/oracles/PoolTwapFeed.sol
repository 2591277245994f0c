// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {DerivedFeed} from "./DerivedFeed.sol";

/// @title PoolTwapFeed
/// @notice A pool's price averaged over time, times the feed of its quote token. The pool sums price x seconds;
/// anyone may have the sum written down (`poke`) in a ring. The average runs from the youngest observation
/// that is at least `window` old until now, so over a little more than the window if pokes come regularly, and
/// the feed refuses to answer if there is none, or if it is over two windows old. A price counts for the time it
/// stood: what happens within a block leaves the answer as it was. Round and times are the quote feed's.
/// @dev Accumulators: Uniswap v2 (UniswapV2OracleLibrary.currentCumulativePrices); ring: its
/// ExampleSlidingWindowOracle.
contract PoolTwapFeed is DerivedFeed {
    struct Observation {
        uint64 timestamp;
        /// Sum of UQ112x112 price x seconds, modulo 2^256.
        uint256 cumulative;
    }

    IConstantProductPool public immutable pool;

    /// @notice The token that is priced, one of the pool's two.
    address public immutable base;

    /// @notice Price of the pool's other token.
    IPriceFeed public immutable quoteFeed;

    /// @notice Seconds over which to average at least.
    uint256 public immutable window;

    /// @notice Seconds that must lie between two observations: the window over the granularity, rounded up.
    uint256 public immutable spacing;

    /// @notice Observations made so far; the ring holds the last `granularity` + 1.
    uint256 public observationCount;

    Observation[] private _ring;

    /// @dev answer = floor(average x quote answer x up / (2^112 x down)); one of them is 1.
    uint256 private immutable _up;
    uint256 private immutable _down;

    event Observed(uint256 indexed index, uint256 cumulative);

    error NotInPool(address token);

    /// @notice The pool holds nothing to take a price from.
    error EmptyPool();

    /// @notice No observation is `needed` seconds old; `age` is that of the oldest.
    error TooYoung(uint256 age, uint256 needed);

    /// @notice The youngest observation that is old enough is older than two windows.
    error TooOld(uint256 age, uint256 allowed);

    /// @param window_ Seconds, above 0.
    /// @param granularity Observations per window, above 0.
    constructor(
        IConstantProductPool pool_,
        address base_,
        IPriceFeed quoteFeed_,
        uint256 window_,
        uint16 granularity,
        uint8 decimals_,
        string memory description_
    ) DerivedFeed(decimals_, description_) {
        address token0 = address(pool_.token0());
        address token1 = address(pool_.token1());
        if (base_ != token0 && base_ != token1) revert NotInPool(base_);
        if (window_ == 0) revert InvalidConfig("window");
        if (granularity == 0) revert InvalidConfig("granularity");
        pool = pool_;
        base = base_;
        quoteFeed = quoteFeed_;
        window = window_;
        spacing = Math.mulDivUp(window_, 1, granularity);
        for (uint256 i = 0; i <= granularity; ++i) {
            _ring.push();
        }
        uint256 gained = uint256(decimals_) + IERC20(base_).decimals();
        uint256 lost =
            uint256(quoteFeed_.decimals()) + IERC20(base_ == token0 ? token1 : token0).decimals();
        _up = 10 ** Math.subFloor(gained, lost);
        _down = 10 ** Math.subFloor(lost, gained);
    }

    /// @notice Writes the sum down, unless the last observation is less than `spacing` seconds old.
    /// @return observed Was it written?
    function poke() external returns (bool observed) {
        uint256 count = observationCount;
        if (count != 0 && block.timestamp < _observation(count - 1).timestamp + spacing) return false;
        uint256 cumulative = _cumulative();
        _ring[count % _ring.length] = Observation({timestamp: uint64(block.timestamp), cumulative: cumulative});
        observationCount = count + 1;
        emit Observed(count, cumulative);
        return true;
    }

    /// @notice One of the observations still in the ring, counted from 0; zeros if it is not.
    function observation(uint256 index) external view returns (uint256 timestamp, uint256 cumulative) {
        uint256 count = observationCount;
        if (index >= count || index + _ring.length < count) return (0, 0);
        Observation memory found = _observation(index);
        return (found.timestamp, found.cumulative);
    }

    function _latest()
        internal
        view
        virtual
        override
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        Observation memory start = _start();
        (id, answer, startedAt, updatedAt, answeredInRound) = quoteFeed.latestRoundData();
        uint256 quoteAnswer = answer > 0 ? uint256(answer) : 0;
        uint256 sum;
        unchecked {
            sum = _cumulative() - start.cumulative; // both wrap round
        }
        answer = int256(
            Math.mulDivDown(sum, quoteAnswer * _up, ((block.timestamp - start.timestamp) * _down) << 112)
        );
    }

    /// @dev The youngest observation at least `window` old.
    function _start() private view returns (Observation memory found) {
        uint256 count = observationCount;
        uint256 oldest = Math.subFloor(count, _ring.length);
        uint256 age = 0;
        for (uint256 i = count; i > oldest; --i) {
            found = _observation(i - 1);
            age = block.timestamp - found.timestamp;
            if (age < window) continue;
            if (age > 2 * window) revert TooOld(age, 2 * window);
            return found;
        }
        revert TooYoung(age, window);
    }

    /// @dev The pool's sum up to now, as the reserves stand: they count from when they last changed.
    function _cumulative() internal view virtual returns (uint256) {
        (uint256 reserveBase, uint256 reserveQuote) = PoolTrade.reservesFrom(pool, base);
        if (reserveBase == 0) revert EmptyPool();
        (,, uint32 updatedAt) = pool.getReserves();
        uint256 last =
            base == address(pool.token0()) ? pool.price0CumulativeLast() : pool.price1CumulativeLast();
        unchecked {
            uint32 elapsed = uint32(block.timestamp) - updatedAt;
            return last + (reserveQuote << 112) / reserveBase * elapsed;
        }
    }

    function _observation(uint256 index) private view returns (Observation memory) {
        return _ring[index % _ring.length];
    }
}
