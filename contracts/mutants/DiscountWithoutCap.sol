// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Math} from "../libraries/Math.sol";
import {DiscountLiquidation} from "../liquidation/DiscountLiquidation.sol";

/// @title DiscountWithoutCap
/// @notice Planted bug, for DIS-1: the discount goes on growing, so that an account driven far under water is sold
/// for next to nothing (Euler, March 2023, had the cap and was still hurt by 20%).
contract DiscountWithoutCap is DiscountLiquidation {
    constructor(IPooledMarket market_, uint256 maxDiscountWad_) DiscountLiquidation(market_, maxDiscountWad_) {}

    function _discountWad(uint256 healthFactorWad) internal pure override returns (uint256) {
        return Math.WAD - healthFactorWad;
    }
}
