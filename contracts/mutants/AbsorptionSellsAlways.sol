// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Absorption} from "../liquidation/Absorption.sol";

/// @title AbsorptionSellsAlways
/// @notice Planted bug, for ABS-1: collateral is for sale whatever the reserves are.
contract AbsorptionSellsAlways is Absorption {
    constructor(
        address admin_,
        IPooledMarket market_,
        address base_,
        uint256 targetReserves_,
        uint256 storeFrontPriceFactorBps_
    ) Absorption(admin_, market_, base_, targetReserves_, storeFrontPriceFactorBps_) {}

    function _requireForSale() internal pure override {}
}
