// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFeeLedger} from "../interfaces/IFeeLedger.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title FeeLedger
contract FeeLedger is IFeeLedger {
    using SafeTransfer for IERC20;

    IERC20 public immutable token;
    address public immutable builder;
    address public immutable collector;

    mapping(address payer => uint256 amount) public balanceOf;
    uint256 public totalBalance;
    uint256 public totalCharged;

    constructor(IERC20 token_, address builder_, address collector_) {
        token = token_;
        builder = builder_;
        collector = collector_;
    }

    function deposit(address payer, uint256 amount) external {
        balanceOf[payer] += amount;
        totalBalance += amount;
        emit Deposited(msg.sender, payer, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external {
        _debit(msg.sender, amount);
        totalBalance -= amount;
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    function charge(address[] calldata payers, uint256[] calldata gasUnits, uint256[] calldata bids)
        external
    {
        if (msg.sender != builder) revert NotBuilder(msg.sender);
        if (payers.length != gasUnits.length || payers.length != bids.length) revert LengthMismatch();
        uint256 total = 0;
        for (uint256 i = 0; i < payers.length; ++i) {
            uint256 fee = gasUnits[i] * bids[i];
            _debit(payers[i], fee);
            total += fee;
            emit FeeCharged(payers[i], gasUnits[i], bids[i], fee);
        }
        balanceOf[collector] += total;
        totalCharged += total;
    }

    function _debit(address payer, uint256 amount) private {
        uint256 balance = balanceOf[payer];
        if (balance < amount) revert InsufficientFeeBalance(payer, balance, amount);
        unchecked {
            balanceOf[payer] = balance - amount;
        }
    }
}
