// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title How the price of a Dutch auction falls
/// @notice After MakerDAO dss, abaci.sol.
interface IPriceCurve {
    error InvalidCurve();

    /// @notice Rounded down; in whatever unit `top` has.
    /// @param top Price at the start.
    /// @param elapsed Seconds since the start.
    function price(uint256 top, uint256 elapsed) external view returns (uint256);
}
