// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingHouse} from "./IClearingHouse.sol";

/// @title A clearing house whose deleveraging recovers a share of the loss only
/// @notice Of the loss D that the funds have left unpaid in a round, the venue's deleveraging policy is asked for the
/// budget B = severity * D, rounded down; the rest is withheld from it and goes to the steps after it, as does what
/// the policy leaves of its budget. Where winners pay through the price, it lies the severity's share of the way from
/// the mark price to the defaulter's bankruptcy price. The severity is theta of Chitra, "Autodeleveraging:
/// Impossibilities and Optimization" (arXiv 2512.01112).
///
/// With a severity of zero nobody pays by deleveraging, and positions are closed, at the mark price, only where the
/// vault may not have them. While a line is dealt with, `unpaid` of the round is what is left of the budget.
interface IBudgetedClearingHouse is IClearingHouse {
    error InvalidSeverity(uint256 severityBps);

    function severityBps() external view returns (uint256);

    /// @notice Loss of a venue's round that goes to the steps after deleveraging; zero once they are reached.
    function withheldOf(address venue) external view returns (uint256);
}
