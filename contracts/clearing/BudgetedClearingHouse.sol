// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBudgetedClearingHouse} from "../interfaces/IBudgetedClearingHouse.sol";
import {Math} from "../libraries/Math.sol";
import {ClearingHouse} from "./ClearingHouse.sol";

/// @title BudgetedClearingHouse
/// @notice See IBudgetedClearingHouse.
contract BudgetedClearingHouse is ClearingHouse, IBudgetedClearingHouse {
    using Math for uint256;

    uint256 private constant BPS = 1e4;

    uint256 public immutable severityBps;
    mapping(address venue => uint256) public withheldOf;

    constructor(address admin_, address fund_, uint256 severityBps_) ClearingHouse(admin_, fund_) {
        if (severityBps_ > BPS) revert InvalidSeverity(severityBps_);
        severityBps = severityBps_;
    }

    /// @dev What winners are not asked for through the price is in the deficit at once.
    function _takeDefault(Context memory c, RoundData storage r, Report memory report)
        internal
        override
        returns (uint256 priced)
    {
        uint256 loss = super._takeDefault(c, r, report);
        priced = _shareDown(loss);
        if (priced == loss) return priced;
        Defaulter storage d = r.defaulters[r.defaulters.length - 1];
        d.discountWad = _shareDown(d.discountWad);
        withheldOf[address(c.exchange)] += loss - priced;
        c.exchange.realiseLoss(report.account, loss - priced);
    }

    function _begin(Context memory c, RoundData storage r, bool closing, uint256 priced)
        internal
        virtual
        override
    {
        uint256 budget = _shareDown(r.round.unpaid);
        withheldOf[address(c.exchange)] += r.round.unpaid - budget;
        r.round.unpaid = budget;
        super._begin(c, r, closing, priced);
    }

    /// @dev At most the deficit: anyone may have paid for it meanwhile.
    function _endLine(Context memory c, RoundData storage r) internal override {
        uint256 withheld = withheldOf[address(c.exchange)];
        if (withheld != 0) {
            delete withheldOf[address(c.exchange)];
            r.round.unpaid = (r.round.unpaid + withheld).min(_deficit(c));
        }
        super._endLine(c, r);
    }

    function _shareDown(uint256 amount) private view returns (uint256) {
        return amount.mulDivDown(severityBps, BPS);
    }
}
