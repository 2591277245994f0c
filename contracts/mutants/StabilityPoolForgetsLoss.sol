// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {StabilityPool} from "../liquidation/StabilityPool.sol";

/// @title StabilityPoolForgetsLoss
/// @notice Planted bug, for STP-1: a liquidation takes deposits without lowering the product, and who withdraws last
/// finds the pool empty.
contract StabilityPoolForgetsLoss is StabilityPool {
    constructor(
        IPooledMarket market_,
        address collateralAsset_,
        address debtAsset_,
        uint256 keeperShareBps_
    ) StabilityPool(market_, collateralAsset_, debtAsset_, keeperShareBps_) {}

    function _offset(uint256 debt, uint256 claims) internal override {
        uint256 before = product;
        super._offset(debt, claims);
        if (totalDeposits != 0) product = before;
    }
}
