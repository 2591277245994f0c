// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingFund} from "./IClearingFund.sol";
import {IDefaultWaterfall} from "./IDefaultWaterfall.sol";

/// @title The default waterfall of a clearing house with several venues
/// @notice The loss of an account in default is paid by its margin, wherever that lies; the venue's insurance fund;
/// the member's own contribution to the default fund; the house's stake; the other members' contributions; capped
/// assessments; winners, as the venue's deleveraging policy says; all winners in proportion, where the venue is
/// set up so; and the vault's holders. A step is used once those before it have nothing left to give.
///
/// A venue's reports are dealt with in rounds, each a sequence of calls that anyone may make, none larger than its
/// caller wants:
///
///     open        takes reports, fixes the prices of the round, and lets the funds pay
///     list        puts accounts in line, by falling rank; the line is complete when the listed positions add up
///                 to the open interest of every side of the round, so nobody can be left out
///     deleverage  goes down the line: accounts pay, and are closed against those in default
///     finish      the vault takes the positions that are left, accounts in default are freed, the last steps pay
///
/// Prices are those at which the round was opened: whatever time it takes, all winners are treated at the same
/// ones. A position that changes between `list` and `deleverage` counts as far as it is still there. What prices
/// move in an account's favour after the funds have paid for it stays with the account.
interface IClearingHouse is IDefaultWaterfall {
    enum Stage {
        Idle,
        Listing,
        Deleveraging,
        Finishing
    }

    /// @param policy Who of the winners pays, a IDeleveragingPolicy.
    /// @param winnersPolicy The same for the step after it, to which all winners of the venue belong; zero: the
    /// vault's holders pay at once.
    struct VenueConfig {
        address policy;
        address winnersPolicy;
    }

    /// @notice A default (`deficit` is zero), or a deficit left by an account that is closed.
    struct Report {
        bytes32 account;
        uint128 deficit;
        uint64 reportedAt;
    }

    /// @param number Rises by one with every round of a venue.
    /// @param winners Has the step of all winners begun?
    /// @param sides Bit 2 * market for its longs, the next for its shorts: those in line.
    /// @param unpaid Loss that nobody has paid for, in the venue's deficit.
    /// @param defaulters Accounts in default taken into the round.
    /// @param finished How many of them are free again.
    /// @param inLine Accounts that pay or are closed.
    /// @param done How many of them have been dealt with.
    /// @param lastRank Of the account listed last, and which that was.
    struct Round {
        uint256 number;
        Stage stage;
        bool winners;
        uint64 openedAt;
        uint256 sides;
        uint256 unpaid;
        uint256 defaulters;
        uint256 finished;
        uint256 inLine;
        uint256 done;
        uint256 lastRank;
        bytes32 lastAccount;
    }

    /// @notice An account's place in line, at the prices of the round.
    /// @param rank 0 where it neither pays nor is closed.
    /// @param wealth Profit of its positions on the round's sides, at most the account's profit and its equity: the
    /// most it can lose.
    /// @param isOnSide Has it a position on a side of the round? Only then can it be listed.
    struct Place {
        uint256 rank;
        uint256 wealth;
        uint256 cap;
        uint256 weight;
        bool isOnSide;
    }

    event VenueConfigured(address indexed venue, address policy, address winnersPolicy);
    event Reported(address indexed venue, bytes32 indexed account, int256 equity, uint256 deficit);

    /// @param marks Prices of the round by market; 0 where nobody has a position.
    event RoundOpened(address indexed venue, uint256 indexed round, uint256 reports, uint256[] marks);

    /// @notice An account's loss at the prices of the round, and how much of it no fund paid.
    event LossTaken(
        address indexed venue, uint256 indexed round, bytes32 indexed account, uint256 loss, uint256 unpaid
    );

    /// @notice Somebody paid. Deleveraging at the bankruptcy price is paid through the price, all else into the
    /// venue's deficit.
    /// @param payer Account, or word of the fund's address; zero for the vault.
    event Paid(
        address indexed venue,
        uint256 indexed round,
        IClearingFund.Step indexed step,
        bytes32 payer,
        uint256 amount
    );

    event Listed(address indexed venue, uint256 indexed round, bytes32 indexed account, uint256 rank, uint256 wealth);
    event LineComplete(address indexed venue, uint256 indexed round, uint256 inLine, uint256 weights);

    /// @notice An account in line was dealt with.
    /// @param due By the policy; `paid` is less where it has lost its profit since.
    event Deleveraged(
        address indexed venue,
        uint256 indexed round,
        bytes32 indexed account,
        uint256 due,
        uint256 paid,
        uint256 closedValue
    );

    /// @notice An account in default is free again.
    /// @param residual Loss that closing it left, beyond that at the prices of the round.
    event ClosedOut(
        address indexed venue, uint256 indexed round, bytes32 indexed account, uint256 residual, uint64 reportedAt
    );

    /// @param unpaid Stays in the venue's deficit.
    event RoundClosed(address indexed venue, uint256 indexed round, uint256 unpaid);

    error NotAdmin(address caller);
    error UnknownVenue(address venue);
    error ZeroAmount();
    error WrongStage(address venue, Stage stage);
    error NothingReported(address venue);
    error OutOfOrder(bytes32 account, uint256 rank);
    error NotOnSide(bytes32 account);
    error InvalidPolicy(address policy);

    /// @notice By the admin, between rounds.
    function configure(address venue, VenueConfig calldata config) external;

    /// @notice Opens a round with the next `count` reports, at most MAX_REPORTS.
    function open(address venue, uint256 count) external;

    /// @notice Lists the next accounts.
    function list(address venue, bytes32[] calldata accounts) external;

    /// @notice Deals with the next `count` accounts in line.
    function deleverage(address venue, uint256 count) external;

    /// @notice Frees the next `count` accounts in default; when all are free, the last steps pay.
    function finish(address venue, uint256 count) external;

    // ---- Views

    function fund() external view returns (address);
    function configOf(address venue) external view returns (VenueConfig memory);
    function roundOf(address venue) external view returns (Round memory);

    /// @notice Reports not taken yet, and the first `count` of them.
    function reportsOf(address venue, uint256 count) external view returns (uint256 pending, Report[] memory);
    function openRounds() external view returns (uint256);

    /// @notice Of all venues; taken ones count until their round ends.
    function openReports() external view returns (uint256);
    function openReportsOf(address owner) external view returns (uint256);

    /// @notice Price of a market in the round.
    function markOf(address venue, uint256 market) external view returns (uint256);

    /// @notice What is listed of a side so far, what of it is in line, what is to be closed and what is left of it.
    function sideOf(address venue, uint256 side)
        external
        view
        returns (uint256 listed, uint256 closable, uint256 total, uint256 left);

    function placeOf(address venue, bytes32 account) external view returns (Place memory);
}
