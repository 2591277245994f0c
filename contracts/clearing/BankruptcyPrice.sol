// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDeleveragingPolicy} from "../interfaces/IDeleveragingPolicy.sol";

/// @title BankruptcyPrice
/// @notice Opposite positions in profit are closed at the defaulter's bankruptcy price, by account word and not by
/// rank, as dYdX v4 does; there is no loss left to pay for. See IDeleveragingPolicy.
contract BankruptcyPrice is IDeleveragingPolicy {
    function atBankruptcyPrice() external pure returns (bool) {
        return true;
    }

    function rank(Candidate calldata) external pure returns (uint256) {
        return 1;
    }

    function terms(uint256 wealth, uint256) external pure returns (uint256 cap, uint256 weight) {
        return (wealth, 0);
    }

    function payment(uint256, uint256, uint256, uint256)
        external
        pure
        virtual
        returns (uint256 amount, bool level)
    {
        return (0, false);
    }

    function closing(uint256 size, uint256, uint256) external pure returns (uint256) {
        return size;
    }
}
