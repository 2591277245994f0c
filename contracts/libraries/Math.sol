// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Integer arithmetic whose names say which way they round
/// @notice Products are 512 bits wide: a result is refused only when it does not fit 256 bits.
library Math {
    /// @notice One, in the unit of USD values and prices.
    uint256 internal constant WAD = 1e18;

    /// @notice One, in the unit of indexes and rates.
    uint256 internal constant RAY = 1e27;

    /// @notice The result does not fit 256 bits, or the divisor is zero.
    error MathOverflow();

    function min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }

    function max(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a : b;
    }

    /// @notice a - b, or 0 where b is the larger.
    function subFloor(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return a > b ? a - b : 0;
        }
    }

    /// @notice The 512-bit product a * b, as high * 2^256 + low.
    function mulFull(uint256 a, uint256 b) internal pure returns (uint256 high, uint256 low) {
        assembly ("memory-safe") {
            let mm := mulmod(a, b, not(0))
            low := mul(a, b)
            high := sub(sub(mm, low), lt(mm, low))
        }
    }

    /// @notice floor(a * b / d).
    function mulDivDown(uint256 a, uint256 b, uint256 d) internal pure returns (uint256 result) {
        uint256 high;
        uint256 low;
        // Nearly every product in use fits one word, and the wide one costs several times as much.
        if ((a | b) >> 128 == 0) {
            unchecked {
                low = a * b;
            }
        } else {
            (high, low) = mulFull(a, b);
        }
        if (high == 0) {
            if (d == 0) revert MathOverflow();
            unchecked {
                return low / d;
            }
        }
        if (high >= d) revert MathOverflow();
        unchecked {
            // Make the product a multiple of d.
            uint256 remainder = mulmod(a, b, d);
            if (remainder > low) high -= 1;
            low -= remainder;
            // Take the powers of two out of d, and shift the product down to one word.
            uint256 twos = d & (~d + 1);
            d /= twos;
            low /= twos;
            low |= high * ((~twos + 1) / twos + 1);
            // d is odd: its inverse modulo 2^256, right to 4 bits at first and to twice as many in
            // each Newton step, turns the exact division into a multiplication.
            uint256 inverse = (3 * d) ^ 2;
            inverse *= 2 - d * inverse; // 8 bits
            inverse *= 2 - d * inverse; // 16
            inverse *= 2 - d * inverse; // 32
            inverse *= 2 - d * inverse; // 64
            inverse *= 2 - d * inverse; // 128
            inverse *= 2 - d * inverse; // 256
            return low * inverse;
        }
    }

    /// @notice ceil(a * b / d).
    function mulDivUp(uint256 a, uint256 b, uint256 d) internal pure returns (uint256 result) {
        result = mulDivDown(a, b, d);
        unchecked {
            // The remainder a * b - result * d is below d: one word of the difference shows it.
            if (result * d != a * b) {
                if (result == type(uint256).max) revert MathOverflow();
                ++result;
            }
        }
    }

    /// @notice floor(sqrt(a)).
    function sqrtDown(uint256 a) internal pure returns (uint256 root) {
        if (a == 0) return 0;
        unchecked {
            // A power of two at or above the root, from which Newton's steps only descend.
            uint256 bits = 0;
            for (uint256 rest = a; rest != 0; rest >>= 1) ++bits;
            uint256 next = 1 << ((bits + 1) >> 1);
            root = next;
            next = (root + a / root) >> 1;
            while (next < root) {
                root = next;
                next = (root + a / root) >> 1;
            }
        }
    }

    /// @notice x^n for x in RAY, each product rounded to the nearest RAY (as MakerDAO's rpow).
    function rpowNearest(uint256 xRay, uint256 n) internal pure returns (uint256 resultRay) {
        resultRay = n & 1 == 0 ? RAY : xRay;
        for (n >>= 1; n != 0; n >>= 1) {
            xRay = _rmulNearest(xRay, xRay);
            if (n & 1 != 0) resultRay = _rmulNearest(resultRay, xRay);
        }
    }

    function _rmulNearest(uint256 aRay, uint256 bRay) private pure returns (uint256) {
        return (aRay * bRay + RAY / 2) / RAY;
    }
}
