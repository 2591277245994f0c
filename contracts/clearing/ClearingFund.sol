// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingFund} from "../interfaces/IClearingFund.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPerpExchange} from "../interfaces/IPerpExchange.sol";
import {IPerpTypes} from "../interfaces/IPerpTypes.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {PerpMath} from "../perp/PerpMath.sol";

/// @title ClearingFund
/// @notice See IClearingFund. Tokens held are margins + pool + stake + what was raised in this transaction.
contract ClearingFund is IClearingFund {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;
    using SafeTransfer for IERC20;

    /// @dev Bound the loops over members and venues.
    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant MAX_VENUES = 8;

    uint256 private constant BPS = PerpMath.BPS;
    uint8 private constant PAUSE_WITHDRAWALS = 2;

    address public immutable admin;
    address public immutable token;

    /// @notice Most that assessments of one period take from a member, as a share of its contribution.
    uint256 public immutable assessmentBps;

    /// @notice Seconds after a member's first assessment when counting starts anew.
    uint256 public immutable assessmentPeriod;

    address public house;
    uint256 public stake;
    uint256 public pool;
    uint256 public totalShares;

    /// @dev Rises when the pool is used up: shares of an earlier era are worth nothing.
    uint64 private _era;
    address[] private _venues;
    address[] private _members;
    mapping(address account => Member) private _memberOf;
    mapping(address venue => bool) private _isVenue;

    modifier onlyAdmin() {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        _;
    }

    modifier onlyHouse() {
        if (msg.sender != house) revert NotHouse(msg.sender);
        _;
    }

    constructor(address admin_, address token_, uint256 assessmentBps_, uint256 assessmentPeriod_) {
        admin = admin_;
        token = token_;
        assessmentBps = assessmentBps_;
        assessmentPeriod = assessmentPeriod_;
    }

    // ---- Set-up

    function setHouse(address house_) external onlyAdmin {
        if (house != address(0)) revert HouseIsSet();
        house = house_;
        emit HouseSet(house_);
    }

    function addVenue(address venue) external onlyAdmin {
        if (IPerpExchange(venue).settlement() != token) revert WrongSettlement(venue);
        if (_isVenue[venue] || _venues.length == MAX_VENUES) revert TooMany();
        _isVenue[venue] = true;
        _venues.push(venue);
        emit VenueAdded(venue);
        IERC20(token).safeApprove(venue, type(uint256).max);
    }

    function addStake(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        stake += amount;
        emit StakePaidIn(msg.sender, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    // ---- Members

    function join(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Member storage m = _memberOf[msg.sender];
        if (!m.joined) {
            if (_members.length == MAX_MEMBERS) revert TooMany();
            _members.push(msg.sender);
            m.joined = true;
        }
        if (m.era != _era) (m.era, m.shares) = (_era, 0);
        uint256 shares = totalShares == 0 ? amount : amount.mulDivDown(totalShares, pool);
        if (shares == 0) revert ZeroAmount();
        m.contribution = (m.contribution + amount).toUint128();
        m.shares = (m.shares + shares).toUint128();
        totalShares += shares;
        pool += amount;
        emit Joined(msg.sender, amount, shares);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    function resign() external {
        Member storage m = _requireMember(msg.sender);
        if (IClearingHouse(house).openRounds() != 0 || IClearingHouse(house).openReports() != 0) {
            revert DefaultsOpen();
        }
        bytes32 account = PerpMath.mainAccount(msg.sender);
        for (uint256 i; i < _venues.length; ++i) {
            if (IPerpExchange(_venues[i]).valuation(account).notional != 0) {
                revert PositionsOpen(msg.sender, _venues[i]);
            }
        }
        uint256 amount = shareOf(msg.sender);
        _burn(m, amount);
        amount += m.margin;
        delete _memberOf[msg.sender];
        for (uint256 i; i < _members.length; ++i) {
            if (_members[i] == msg.sender) _members[i] = _members[_members.length - 1];
        }
        _members.pop();
        emit Resigned(msg.sender, amount);
        if (amount != 0) IERC20(token).safeTransfer(msg.sender, amount);
    }

    function payMargin(address member, uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Member storage m = _requireMember(member);
        m.margin = (m.margin + amount).toUint128();
        emit MarginPaidIn(member, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdrawMargin(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Member storage m = _requireMember(msg.sender);
        if (IClearingHouse(house).openReportsOf(msg.sender) != 0) revert DefaultsOpen();
        int256 above = surplus(msg.sender);
        if (amount > m.margin || above < amount.toInt()) revert MarginNeeded(msg.sender, above, amount);
        m.margin -= uint128(amount);
        emit MarginPaidOut(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    function allocate(address member, address venue) external returns (uint256 amount) {
        Member storage m = _requireMember(member);
        if (!_isVenue[venue]) revert UnknownVenue(venue);
        bytes32 account = PerpMath.mainAccount(member);
        IPerpTypes.Valuation memory v = IPerpExchange(venue).valuation(account);
        if (v.equity >= v.callMargin.toInt()) revert NotCalled(member, venue);
        uint256 wanted = (v.initialMargin.toInt() - v.equity).positive();
        amount = wanted.min(m.margin);
        if (amount != 0) emit Allocated(member, address(0), venue, amount);
        m.margin -= uint128(amount);
        for (uint256 i; i < _venues.length && amount < wanted; ++i) {
            if (_venues[i] == venue) continue;
            uint256 part = _collect(_venues[i], member, wanted - amount);
            if (part == 0) continue;
            amount += part;
            emit Allocated(member, _venues[i], venue, part);
        }
        if (amount == 0) revert MarginNeeded(member, v.equity, wanted);
        IPerpExchange(venue).deposit(account, token, amount);
    }

    // ---- For the house

    function raise(Step step, address member, uint256 wanted) external onlyHouse returns (uint256 paid) {
        if (step == Step.Margin) paid = _raiseMargin(member, wanted);
        else if (step == Step.OwnShare) paid = _raiseShare(member, wanted);
        else if (step == Step.Stake) paid = _raiseStake(wanted);
        else if (step == Step.DefaultFund) paid = _raisePool(wanted);
        else if (step == Step.Assessment) paid = _assess(member, wanted);
        if (paid != 0) emit Raised(step, member, paid);
    }

    function cover(address venue, uint256 amount) external onlyHouse {
        IPerpExchange(venue).coverDeficit(amount);
    }

    function _raiseMargin(address member, uint256 wanted) internal virtual returns (uint256 paid) {
        Member storage m = _memberOf[member];
        if (!m.joined) return 0;
        paid = wanted.min(m.margin);
        m.margin -= uint128(paid);
        for (uint256 i; i < _venues.length && paid < wanted; ++i) {
            uint256 part = _collect(_venues[i], member, wanted - paid);
            if (part == 0) continue;
            paid += part;
            emit Collected(member, _venues[i], part);
        }
    }

    function _raiseShare(address member, uint256 wanted) internal virtual returns (uint256 paid) {
        paid = wanted.min(shareOf(member));
        _burn(_memberOf[member], paid);
    }

    function _raiseStake(uint256 wanted) internal virtual returns (uint256 paid) {
        paid = wanted.min(stake);
        stake -= paid;
    }

    function _raisePool(uint256 wanted) internal virtual returns (uint256 paid) {
        paid = wanted.min(pool);
        if (paid == 0) return 0;
        pool -= paid;
        _endEraIfEmpty();
    }

    /// @dev In proportion to what each can be assessed and has: together exactly what is wanted, or all there is.
    function _assess(address defaulter, uint256 wanted) internal virtual returns (uint256 paid) {
        uint256 count = _members.length;
        uint256[] memory able = new uint256[](count);
        uint256 left;
        for (uint256 i; i < count; ++i) {
            address member = _members[i];
            if (member == defaulter) continue;
            uint256 due = assessable(member);
            able[i] = due.min(IERC20(token).balanceOf(member)).min(
                IERC20(token).allowance(member, address(this))
            );
            if (able[i] < due) emit AssessmentUnpaid(member, due - able[i]);
            left += able[i];
        }
        wanted = wanted.min(left);
        for (uint256 i; i < count; ++i) {
            if (able[i] == 0) continue;
            uint256 part = (wanted - paid).mulDivUp(able[i], left);
            left -= able[i];
            paid += part;
            if (part != 0) _takeAssessment(_members[i], part);
        }
    }

    function _takeAssessment(address member, uint256 amount) private {
        Member storage m = _memberOf[member];
        if (block.timestamp >= m.assessedAt + assessmentPeriod) {
            (m.assessed, m.assessedAt) = (0, uint64(block.timestamp));
        }
        m.assessed += uint128(amount);
        emit AssessmentPaid(member, amount);
        IERC20(token).safeTransferFrom(member, address(this), amount);
    }

    /// @dev Withdraws from a member's venue account what it can spare; nothing where the venue refuses.
    function _collect(address venue, address member, uint256 wanted) private returns (uint256 amount) {
        amount = wanted.min(spare(venue, member));
        if (amount == 0) return 0;
        bytes32 account = PerpMath.mainAccount(member);
        try IPerpExchange(venue).withdraw(account, token, amount, address(this)) {}
        catch {
            return 0;
        }
    }

    function _burn(Member storage m, uint256 amount) private {
        if (amount == 0) return;
        uint256 shares = m.shares;
        if (amount < pool.mulDivDown(shares, totalShares)) {
            shares = shares.min(amount.mulDivUp(totalShares, pool));
        }
        m.shares -= uint128(shares);
        totalShares -= shares;
        pool -= amount;
        _endEraIfEmpty();
    }

    /// @dev Also when only rounding is left without an owner: it goes to the house's stake.
    function _endEraIfEmpty() private {
        if (pool != 0 && totalShares != 0) return;
        stake += pool;
        (pool, totalShares) = (0, 0);
        ++_era;
    }

    // ---- Views

    function venues() external view returns (address[] memory) {
        return _venues;
    }

    function members() external view returns (address[] memory) {
        return _members;
    }

    function memberOf(address account) external view returns (Member memory) {
        return _memberOf[account];
    }

    function shareOf(address member) public view returns (uint256) {
        Member storage m = _memberOf[member];
        if (totalShares == 0 || m.era != _era) return 0;
        return pool.mulDivDown(m.shares, totalShares);
    }

    function assessable(address member) public view returns (uint256) {
        Member storage m = _memberOf[member];
        uint256 cap = uint256(m.contribution).mulDivDown(assessmentBps, BPS);
        if (block.timestamp >= m.assessedAt + assessmentPeriod) return cap;
        return cap.subFloor(m.assessed);
    }

    function spare(address venue, address member) public view returns (uint256) {
        IPerpExchange exchange = IPerpExchange(venue);
        bytes32 account = PerpMath.mainAccount(member);
        if (!exchange.isOperator(member, address(this)) || exchange.paused() & PAUSE_WITHDRAWALS != 0) return 0;
        uint256 word = exchange.accountWords(account)[0];
        uint256 cash = word.highOf().positive();
        if (cash == 0 || word >> 64 & 1 != 0) return 0;
        try exchange.valuation(account) returns (IPerpTypes.Valuation memory v) {
            if (v.notional == 0) return cash;
            IPerpTypes.RiskConfig memory risk = exchange.riskConfig();
            int256 equity = v.equity;
            if (!risk.withdrawProfit) equity -= v.unrealised.positive().toInt();
            uint256 needed = v.initialMargin.max(v.notional.mulDivUp(risk.withdrawFloorBps, BPS));
            return cash.min((equity - needed.toInt()).positive());
        } catch {
            return 0;
        }
    }

    function surplus(address member) public view returns (int256 above) {
        above = uint256(_memberOf[member].margin).toInt();
        bytes32 account = PerpMath.mainAccount(member);
        for (uint256 i; i < _venues.length; ++i) {
            IPerpTypes.Valuation memory v = IPerpExchange(_venues[i]).valuation(account);
            above += v.equity - v.initialMargin.toInt();
        }
    }

    function _requireMember(address account) private view returns (Member storage m) {
        m = _memberOf[account];
        if (!m.joined) revert NotMember(account);
    }
}
