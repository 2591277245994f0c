// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {StabilityPool} from "../liquidation/StabilityPool.sol";

/// @title StabilityPoolKeepsDebt
/// @notice Planted bug, for STP-2: a tenth of the debt to be redistributed stays with the pool, where nobody pays
/// it.
contract StabilityPoolKeepsDebt is StabilityPool {
    constructor(
        IPooledMarket market_,
        address collateralAsset_,
        address debtAsset_,
        uint256 keeperShareBps_
    ) StabilityPool(market_, collateralAsset_, debtAsset_, keeperShareBps_) {}

    function _spread(address from, AccountReader.Pair memory pair, uint256 claims, uint256 debt)
        internal
        override
        returns (uint256)
    {
        return super._spread(from, pair, claims, debt - debt / 10);
    }
}
