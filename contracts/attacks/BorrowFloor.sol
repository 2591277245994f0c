// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title BorrowFloor
/// @notice A market in which nobody may owe less than `floorUsd` after borrowing, as Maker's `dust`: a debt must be worth
/// its liquidation.
contract BorrowFloor is PooledMarket {
    /// @notice USD Wad.
    uint256 private immutable _floorUsd;

    error DebtBelowFloor(address account, uint256 debtUsd, uint256 floorUsd);

    constructor(address admin_, LiquidationConfig memory config, uint256 floorUsd_)
        PooledMarket(admin_, config)
    {
        _floorUsd = floorUsd_;
    }

    function _requireWithinBorrowLimit(address account) internal view override {
        super._requireWithinBorrowLimit(account);
        uint256 debtUsd = _account(account, new uint256[](0)).debtUsd;
        if (debtUsd < _floorUsd) revert DebtBelowFloor(account, debtUsd, _floorUsd);
    }
}
