// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The money behind a clearing house: members' margin, their default fund, and the house's own stake
/// @notice Members trade on any of the venues, perpetual exchanges of one settlement token, with their cross
/// account 0 there, and let the fund withdraw from it (IPerpExchange.setOperator). What they hold with the fund and
/// what any venue account can spare goes where margin is called: one margin for all venues. The default fund is
/// one pool of shares, so that a loss falls on all members in proportion, to the wei.
interface IClearingFund {
    /// @notice Steps of the default waterfall, in the order in which they are used.
    enum Step {
        Margin,
        Insurance,
        OwnShare,
        Stake,
        DefaultFund,
        Assessment,
        Deleveraging,
        WinnersHaircut,
        Vault
    }

    /// @param margin Held for the member, beside what its venue accounts hold.
    /// @param contribution To the default fund as required of it, whatever losses have left of it.
    /// @param shares Of the default fund.
    /// @param assessed Paid on assessments since `assessedAt`.
    /// @param joined Is it a member?
    struct Member {
        uint128 margin;
        uint128 contribution;
        uint128 shares;
        uint128 assessed;
        uint64 assessedAt;
        uint64 era;
        bool joined;
    }

    event HouseSet(address house);
    event VenueAdded(address indexed venue);
    event Joined(address indexed member, uint256 amount, uint256 shares);
    event Resigned(address indexed member, uint256 amount);
    event MarginPaidIn(address indexed member, uint256 amount);
    event MarginPaidOut(address indexed member, uint256 amount);
    event StakePaidIn(address indexed payer, uint256 amount);

    /// @notice Margin of a member went where it was called: from the fund (`from` is zero) or another venue.
    event Allocated(address indexed member, address indexed from, address indexed to, uint256 amount);

    event Collected(address indexed member, address indexed from, uint256 amount);
    event Raised(Step indexed step, address indexed member, uint256 amount);
    event AssessmentPaid(address indexed member, uint256 amount);
    event AssessmentUnpaid(address indexed member, uint256 amount);

    error NotAdmin(address caller);
    error NotHouse(address caller);
    error HouseIsSet();
    error WrongSettlement(address venue);
    error UnknownVenue(address venue);
    error TooMany();
    error ZeroAmount();
    error NotMember(address account);
    error AlreadyMember(address account);
    error MarginNeeded(address member, int256 surplus, uint256 amount);
    error NotCalled(address member, address venue);
    error DefaultsOpen();
    error PositionsOpen(address member, address venue);

    // ---- Set-up

    /// @notice Once, by the admin.
    function setHouse(address house) external;

    /// @notice By the admin.
    function addVenue(address venue) external;

    /// @notice The house's own money, lost before that of members. Anyone may.
    function addStake(uint256 amount) external;

    // ---- Members

    /// @notice Becomes a member with this contribution to the default fund, or adds to it. The allowance given to
    /// the fund is what assessments are paid from.
    function join(uint256 amount) external;

    /// @notice Takes what is left of the contribution, once no default is open and no position either.
    function resign() external;

    /// @notice Anyone may pay in for a member.
    function payMargin(address member, uint256 amount) external;

    /// @notice As far as equity on all venues and margin here are above the initial margins of all venues.
    function withdrawMargin(uint256 amount) external;

    /// @notice Brings a member's account on a venue where it is below its call margin back to the initial margin,
    /// from margin held here, then from what its accounts on other venues can spare. Anyone may.
    function allocate(address member, address venue) external returns (uint256 amount);

    // ---- For the house

    /// @notice Takes up to `wanted` out of a step's money, and holds it ready for `cover`.
    /// @param member In default; zero if it is not a member.
    function raise(Step step, address member, uint256 wanted) external returns (uint256 paid);

    /// @notice Pays what was raised into a venue's deficit.
    function cover(address venue, uint256 amount) external;

    // ---- Views

    function token() external view returns (address);
    function house() external view returns (address);
    function stake() external view returns (uint256);
    function pool() external view returns (uint256);
    function totalShares() external view returns (uint256);
    function venues() external view returns (address[] memory);
    function members() external view returns (address[] memory);
    function memberOf(address account) external view returns (Member memory);

    /// @notice What is left of a member's contribution, rounded down.
    function shareOf(address member) external view returns (uint256);

    /// @notice What a venue account of a member can spare: its cash, as far as the venue would let it go.
    function spare(address venue, address member) external view returns (uint256);

    /// @notice What a member can still be assessed in this period.
    function assessable(address member) external view returns (uint256);

    /// @notice Equity on all venues and margin here, less the initial margins of all venues.
    function surplus(address member) external view returns (int256);
}
