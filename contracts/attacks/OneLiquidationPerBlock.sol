// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title OneLiquidationPerBlock
/// @notice A market that liquidates a position at most once a block, so that a close factor means what it says: the
/// remedy of Qin, Zhou, Gamito, Jovanovic, Gervais (2021) against liquidating in two steps at once.
contract OneLiquidationPerBlock is PooledMarket {
    mapping(address account => uint256 number) private _liquidatedAt;

    error AlreadyLiquidated(address account, uint256 number);

    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    /// @dev Of those whose balances `liquidate` writes; one who is paid in claims waits for the next block too.
    function _setScaled(address account, uint256 id, uint256 claims, uint256 debt) internal override {
        if (msg.sig == IPooledMarket.liquidate.selector) _liquidatedAt[account] = block.number;
        super._setScaled(account, id, claims, debt);
    }

    function _maxRepayDown(Account memory borrower, Plan memory plan) internal view override returns (uint256) {
        if (_liquidatedAt[borrower.owner] == block.number) {
            revert AlreadyLiquidated(borrower.owner, block.number);
        }
        return super._maxRepayDown(borrower, plan);
    }
}
