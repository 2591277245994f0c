// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Who of the winners pays for a loss, in which order, and how much
/// @notice Pure rules: the clearing house reads the exchange, keeps the books and does what a policy says. It goes
/// through the accounts once, by falling rank, and among equals by rising account word. An answer depends on what is
/// asked alone, neither on the block nor on the caller, and there is one for every candidate: a line that an account
/// cannot be put into is never complete.
interface IDeleveragingPolicy {
    /// @notice A position in profit on a side that is deleveraged, at the prices of the round.
    /// @param long Above zero or below.
    /// @param value Size times mark price, settlement units.
    /// @param cost Size times entry price, settlement units.
    /// @param profit Unrealised, funding deducted.
    /// @param accountValue Equity of the whole account.
    /// @param wealth The most that the account can be asked for.
    /// @param notional Of all such positions of the account.
    struct Candidate {
        bool long;
        uint256 value;
        uint256 cost;
        uint256 profit;
        uint256 accountValue;
        uint256 wealth;
        uint256 notional;
    }

    /// @notice Do winners pay through the price, that at which the defaulter has nothing left, rather than with
    /// their profit?
    function atBankruptcyPrice() external view returns (bool);

    /// @notice Place in line: the higher the earlier, never 0. An account stands where its best position does.
    function rank(Candidate calldata candidate) external view returns (uint256);

    /// @return cap The most that the account pays, at most its wealth.
    /// @return weight What it counts for where the loss is shared out.
    function terms(uint256 wealth, uint256 notional) external view returns (uint256 cap, uint256 weight);

    /// @notice What the next account in line pays.
    /// @param loss Not paid for yet.
    /// @param weights Of this account and all after it.
    /// @return amount At most cap and loss; none where winners pay through the price.
    /// @return level From here on everybody pays by the same loss and weights.
    function payment(uint256 cap, uint256 weight, uint256 loss, uint256 weights)
        external
        view
        returns (uint256 amount, bool level);

    /// @notice How much of its position the next account in line is closed.
    /// @param size Of the position.
    /// @param total Size of the defaulters' positions on the other side when the round began.
    /// @param closable Size of all positions in line on this side.
    /// @return At most `size`.
    function closing(uint256 size, uint256 total, uint256 closable) external view returns (uint256);
}
