// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Absorption} from "../liquidation/Absorption.sol";

/// @title AbsorptionCreditsAll
/// @notice Planted bug, for ABS-2: the account is credited the whole value of its collateral, and is absorbed
/// without a penalty.
contract AbsorptionCreditsAll is Absorption {
    constructor(
        address admin_,
        IPooledMarket market_,
        address base_,
        uint256 targetReserves_,
        uint256 storeFrontPriceFactorBps_
    ) Absorption(admin_, market_, base_, targetReserves_, storeFrontPriceFactorBps_) {}

    function _creditDown(address, uint256 claimsUsd) internal pure override returns (uint256) {
        return claimsUsd;
    }
}
