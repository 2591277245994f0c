// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IStabilityPool} from "../interfaces/IStabilityPool.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {LiquidationModule} from "./LiquidationModule.sol";

/// @title StabilityPool
contract StabilityPool is IStabilityPool, LiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant SCALE_FACTOR = 1e9;

    /// @dev Bounds the loop over borrowers.
    uint256 internal constant MAX_ENROLLED = 1024;

    address public immutable collateralAsset;
    address public immutable debtAsset;
    uint256 public immutable keeperShareBps;

    uint256 public totalDeposits;
    uint256 public product = Math.WAD;
    uint128 public scale;
    uint128 public epoch;
    mapping(uint128 epoch => mapping(uint128 scale => uint256)) public sumOf;

    /// @dev Collateral that rounding kept back the last time, given out the next time.
    uint256 internal _collateralError;

    mapping(address depositor => uint256) internal _initial;
    mapping(address depositor => Snapshot) internal _snapshots;

    address[] internal _enrolled;
    mapping(address account => uint256) internal _placePlusOne;

    constructor(
        IPooledMarket market_,
        address collateralAsset_,
        address debtAsset_,
        uint256 keeperShareBps_
    ) LiquidationModule(market_) {
        if (keeperShareBps_ > BPS) revert InvalidConfig("keeperShareBps");
        if (collateralAsset_ == debtAsset_) revert InvalidConfig("collateralAsset");
        collateralAsset = collateralAsset_;
        debtAsset = debtAsset_;
        keeperShareBps = keeperShareBps_;
    }

    // ---- Depositors

    function deposit(uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        uint256 left = _settle(msg.sender);
        _keep(msg.sender, left + amount);
        totalDeposits += amount;
        emit Deposited(msg.sender, amount, left + amount);
        IERC20(debtAsset).safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external nonReentrant returns (uint256 paid) {
        uint256 left = _settle(msg.sender);
        paid = amount.min(left);
        _keep(msg.sender, left - paid);
        totalDeposits -= paid;
        emit Withdrawn(msg.sender, paid, left - paid);
        if (paid != 0) IERC20(debtAsset).safeTransfer(msg.sender, paid);
    }

    // ---- Borrowers

    function enroll(address account) external {
        if (_placePlusOne[account] != 0) revert AlreadyEnrolled(account);
        if (_enrolled.length == MAX_ENROLLED) revert TooManyEnrolled();
        if (_stake(account, _idOf(collateralAsset), _idOf(debtAsset)) == 0) revert NotBorrower(account);
        _enrolled.push(account);
        _placePlusOne[account] = _enrolled.length;
        emit Enrolled(account);
    }

    function liquidate(address account) external nonReentrant {
        AccountReader.Account memory a = AccountReader.read(market, account);
        AccountReader.Pair memory pair = AccountReader.pairOf(a, collateralAsset, debtAsset);
        AccountReader.cutToShare(a, pair);
        _confiscate(account, pair);

        uint256 claims = pair.scaledClaims;
        uint256 keeperClaims = claims.mulDivDown(keeperShareBps, BPS);
        if (keeperClaims != 0) _assign(pair.collateralId, msg.sender, keeperClaims, 0);
        claims -= keeperClaims;

        uint256 debt = PositionMath.debtUp(pair.scaledDebt, a.terms[pair.debtId].borrowIndexRay);
        uint256 offset = debt.min(totalDeposits);
        uint256 gained;
        uint256 spreadDebt = pair.scaledDebt;
        if (offset != 0) {
            gained = claims.mulDivDown(offset, debt);
            spreadDebt -= _payBack(pair.debtId, debtAsset, offset, pair.scaledDebt);
            _offset(offset, gained);
        }
        uint256 recipients;
        if (spreadDebt != 0) recipients = _spread(account, pair, claims - gained, spreadDebt);
        emit Liquidated(
            account, msg.sender, offset, gained, spreadDebt, claims - gained, recipients, keeperClaims
        );
    }

    // ---- Views

    function depositOf(address depositor) public view returns (uint256) {
        uint256 initial = _initial[depositor];
        Snapshot memory s = _snapshots[depositor];
        if (initial == 0 || s.epoch < epoch) return 0;
        uint256 scales = scale - s.scale;
        if (scales > 1) return 0;
        uint256 left = initial.mulDivDown(product, s.product);
        if (scales == 1) left /= SCALE_FACTOR;
        // Liquity's rule: what is below a billionth of the deposit is error.
        return left < initial / SCALE_FACTOR ? 0 : left;
    }

    function gainOf(address depositor) public view returns (uint256) {
        uint256 initial = _initial[depositor];
        if (initial == 0) return 0;
        Snapshot memory s = _snapshots[depositor];
        uint256 first = sumOf[s.epoch][s.scale] - s.sum;
        uint256 second = sumOf[s.epoch][s.scale + 1] / SCALE_FACTOR;
        return initial.mulDivDown(first + second, s.product) / Math.WAD;
    }

    function enrolled() external view returns (address[] memory) {
        return _enrolled;
    }

    // ---- The pool

    /// @dev Burns `debt` of the deposits and gives them `claims`. The loss is rounded up, so that the
    /// deposits left never sum to more than the pool has; Liquity gives the rounding back the next time, by
    /// which they may, for a few base units.
    function _offset(uint256 debt, uint256 claims) internal virtual {
        uint256 total = totalDeposits;
        uint256 numerator = claims * Math.WAD + _collateralError;
        uint256 gainPerUnit = numerator / total;
        _collateralError = numerator - gainPerUnit * total;
        sumOf[epoch][scale] += gainPerUnit * product;

        if (debt == total) {
            ++epoch;
            scale = 0;
            product = Math.WAD;
        } else {
            _shrink(Math.WAD - (debt * Math.WAD / total + 1));
        }
        totalDeposits = total - debt;
    }

    function _shrink(uint256 factor) private {
        if (factor == 0) {
            // All but nothing is left: too little to be told from an empty pool.
            ++epoch;
            scale = 0;
            product = Math.WAD;
        } else if (product * factor / Math.WAD < SCALE_FACTOR) {
            product = product * factor * SCALE_FACTOR / Math.WAD;
            ++scale;
        } else {
            product = product * factor / Math.WAD;
        }
    }

    /// @dev Pays out the gain; what is left of the deposit.
    function _settle(address depositor) private returns (uint256 left) {
        left = depositOf(depositor);
        uint256 gain = gainOf(depositor);
        if (gain == 0) return left;
        // Before it pays out, the gain is gone.
        _keep(depositor, left);
        emit GainPaid(depositor, gain);
        _assign(_idOf(collateralAsset), depositor, gain, 0);
    }

    function _keep(address depositor, uint256 amount) private {
        _initial[depositor] = amount;
        _snapshots[depositor] = Snapshot(product, sumOf[epoch][scale], scale, epoch);
    }

    // ---- Redistribution

    /// @dev By collateral, rounded down; the last account gets what rounding leaves. Accounts that no longer
    /// borrow are struck off.
    function _spread(address from, AccountReader.Pair memory pair, uint256 claims, uint256 debt)
        internal
        virtual
        returns (uint256 recipients)
    {
        uint256 total;
        uint256[] memory stakes = new uint256[](_enrolled.length);
        for (uint256 i = _enrolled.length; i != 0;) {
            address account = _enrolled[--i];
            uint256 stake = account == from ? 0 : _stake(account, pair.collateralId, pair.debtId);
            if (stake == 0) {
                stakes[i] = stakes[_enrolled.length - 1];
                _strike(i);
                continue;
            }
            stakes[i] = stake;
            total += stake;
        }
        recipients = _enrolled.length;
        if (recipients == 0) revert NobodyToCarry(from);
        (uint256 claimsLeft, uint256 debtLeft) = (claims, debt);
        for (uint256 i; i < recipients; ++i) {
            bool isLast = i + 1 == recipients;
            uint256 claimsShare = isLast ? claimsLeft : claims.mulDivDown(stakes[i], total);
            uint256 debtShare = isLast ? debtLeft : debt.mulDivDown(stakes[i], total);
            (claimsLeft, debtLeft) = (claimsLeft - claimsShare, debtLeft - debtShare);
            _give(_enrolled[i], pair, claimsShare, debtShare);
        }
    }

    function _give(address to, AccountReader.Pair memory pair, uint256 claims, uint256 debt) private {
        uint256[] memory given = new uint256[](pair.collateralId.max(pair.debtId) + 1);
        given[pair.collateralId] = PositionMath.join(claims, 0);
        given[pair.debtId] = debt;
        market.assign(to, given);
    }

    function _strike(uint256 place) private {
        address gone = _enrolled[place];
        address last = _enrolled[_enrolled.length - 1];
        _enrolled[place] = last;
        _placePlusOne[last] = place + 1;
        delete _placePlusOne[gone];
        _enrolled.pop();
    }

    /// @dev Scaled claims in the collateral; 0 without a debt.
    function _stake(address account, uint256 collateralId, uint256 debtId) private view returns (uint256 claims) {
        uint256[] memory scaled = market.scaledPosition(account);
        if (uint128(scaled[debtId]) == 0) return 0;
        return scaled[collateralId] >> 128;
    }
}
