// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDefaultWaterfall} from "../interfaces/IDefaultWaterfall.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {PerpCore} from "./PerpCore.sol";
import {PerpMath} from "./PerpMath.sol";

/// @title PerpLiquidation
/// @notice The part of a perpetual exchange that closes what its owners cannot keep. See IPerpExchange;
/// PerpExchange calls it by delegation.
contract PerpLiquidation is PerpCore {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;
    using SafeTransfer for IERC20;

    /// @dev An account just before it is liquidated.
    struct Before {
        Valuation v;
        int256[] words;
        uint256[] prices;
    }

    /// @dev The Liquidation event's fields that are not indexed, in its order.
    struct LiquidationData {
        int256 sizeClosed;
        uint256 priceWad;
        uint256 reward;
        uint256 insuranceFee;
        int256 equityBefore;
        uint256 maintenanceBefore;
        int256[] before;
        uint256[] prices;
    }

    modifier onlyWaterfall() {
        if (msg.sender != _waterfall) revert NotWaterfall(msg.sender);
        _;
    }

    modifier onlyInDefault(bytes32 account) {
        if (!_accounts[account].inDefault) revert NotInDefault(account);
        _;
    }

    // ---- Liquidation

    function liquidate(bytes32 account, uint256 market)
        external
        nonReentrant
        unlessPaused(PAUSE_LIQUIDATIONS)
    {
        if (_accounts[account].inDefault) revert InDefault(account);
        Before memory b;
        b.v = _valuation(account);
        if (!_isLiquidatable(b.v)) revert Healthy(account, b.v.equity, b.v.maintenanceMargin);
        (b.words, b.prices) = _snapshot(account);
        if (_isPastBackstop(b.v)) _takeOver(account, b);
        else _close(account, market, b);
    }

    /// @dev Exactly at the maintenance margin is healthy.
    function _isLiquidatable(Valuation memory v) internal view virtual returns (bool) {
        return v.equity < v.maintenanceMargin.toInt();
    }

    function _isPastBackstop(Valuation memory v) internal view virtual returns (bool) {
        return v.equity <= v.maintenanceMargin.mulDivDown(_risk.backstopBps, BPS).toInt();
    }

    function _close(bytes32 account, uint256 market, Before memory b) private {
        MarketState memory s = _accrue(market);
        Position storage p = _positions[account][market];
        if (p.size == 0) revert NoPosition(account, market);
        LiquidationData memory d;
        d.sizeClosed = _stepUp(account, market, s.markWad);
        (d.priceWad,) = _quote(market, s, -d.sizeClosed);
        d.equityBefore = b.v.equity;
        d.maintenanceBefore = b.v.maintenanceMargin;
        d.before = b.words;
        d.prices = b.prices;
        _fill(account, market, FillKind.Liquidation, -d.sizeClosed, d.priceWad, 0);
        _sellForDebt(account);
        _payFee(account, market, d);
        _emitLiquidation(account, market, d);
        _absorbIfEmpty(account);
        if (_accounts[account].calledAt != 0) _endCallIfRestored(account, _valuation(account));
    }

    /// @dev How much of the position this liquidation closes, signed as the position: the tier's share, rounded
    /// up, in each of the market's partial steps, then all of it. No two of them within the cool-down.
    function _stepUp(bytes32 account, uint256 market, uint256 markWad) internal virtual returns (int256) {
        MarketConfig storage config = _markets[market].config;
        Position storage p = _positions[account][market];
        int256 size = p.size;
        if (p.steppedAt != 0) {
            uint256 until = p.steppedAt + config.cooldown;
            if (block.timestamp < until) revert CoolingDown(account, market, until);
            if (block.timestamp > p.steppedAt + config.stepWindow) p.steps = 0;
        }
        uint256 notional = size.abs().mulDivUp(markWad, _valueScale);
        uint256 shareBps = PerpMath.tierOf(_markets[market].tiers, notional).closeShareBps;
        if (shareBps == BPS || p.steps >= config.partialSteps) return size;
        p.steps += 1;
        p.steppedAt = uint64(block.timestamp);
        int256 closed = size.abs().mulDivUp(shareBps, BPS).toInt();
        return size < 0 ? -closed : closed;
    }

    /// @dev A share of what was closed, as far as equity goes: the fee itself makes nobody bankrupt.
    function _payFee(bytes32 account, uint256 market, LiquidationData memory d) private {
        MarketConfig storage config = _markets[market].config;
        uint256 value = d.sizeClosed.abs().mulDivDown(d.priceWad, _valueScale);
        uint256 fee = value.mulDivUp(config.liquidationFeeBps, BPS);
        fee = fee.min(_valuation(account).equity.positive());
        d.reward = fee.mulDivDown(config.liquidatorShareBps, BPS);
        d.insuranceFee = fee - d.reward;
        _credit(account, -fee.toInt());
        _credit(PerpMath.mainAccount(msg.sender), d.reward.toInt());
        _credit(_insurance(), d.insuranceFee.toInt());
    }

    // ---- Takeover

    /// @dev Sells the account's collateral; then, if it is still past the backstop, the insurance fund takes
    /// positions and cash if it can carry them with its own margin, else the vault takes them at the mark price if
    /// its equity allows or nobody else would, else the waterfall.
    function _takeOver(bytes32 account, Before memory b) internal virtual {
        for (uint256 id; id < _collaterals.length; ++id) {
            _sell(account, id, _amounts[account][id]);
        }
        Valuation memory v = _valuation(account);
        Taker by = _takerOf(account, v);
        emit Takeover(
            account, by, msg.sender, v.equity, b.v.equity, b.v.maintenanceMargin, b.words, b.prices
        );
        if (by == Taker.Nobody) return;
        if (by == Taker.Waterfall) {
            _accounts[account].inDefault = true;
            IDefaultWaterfall(_waterfall).onDefault(account, v.equity);
        } else {
            _transferPositions(account, by);
            _settleRest(account, by);
        }
        _accounts[account].calledAt = 0;
        _payKeeper(b.v.maintenanceMargin);
    }

    function _takerOf(bytes32 account, Valuation memory v) internal view virtual returns (Taker) {
        if (_accounts[account].marketBits == 0) return v.equity < 0 ? Taker.Insurance : Taker.Nobody;
        if (!_isPastBackstop(v)) return Taker.Nobody;
        if (account != _insurance()) {
            Valuation memory fund = _valuation(_insurance());
            int256 needed = (fund.maintenanceMargin + v.maintenanceMargin).toInt();
            if (fund.equity + v.equity >= needed) return Taker.Insurance;
        }
        if (_waterfall == address(0)) return Taker.Vault;
        return _vaultEquity() + v.equity >= uint256(_risk.vaultFloor).toInt() ? Taker.Vault : Taker.Waterfall;
    }

    /// @dev At the mark price, so that with the account's cash its equity goes along: the taker has the positions
    /// at the account's bankruptcy price.
    function _transferPositions(bytes32 account, Taker by) private {
        uint256 bits = _accounts[account].marketBits;
        for (uint256 id; bits != 0; (++id, bits >>= 1)) {
            if (bits & 1 == 0) continue;
            MarketState memory s = _accrue(id);
            int256 size = _positions[account][id].size;
            _fill(account, id, FillKind.Takeover, -size, s.markWad, 0);
            if (by == Taker.Insurance) _fill(_insurance(), id, FillKind.Takeover, size, s.markWad, 0);
        }
    }

    /// @dev The account has cash only: what is left of it goes with the positions, what is missing is absorbed.
    function _settleRest(bytes32 account, Taker by) private {
        int256 cash = _accounts[account].cash;
        if (cash <= 0) {
            _absorb(account);
        } else if (account != _insurance()) {
            _credit(account, -cash);
            if (by == Taker.Insurance) _credit(_insurance(), cash);
            else _vaultCash += cash;
        }
    }

    function _absorbIfEmpty(bytes32 account) private {
        Account storage a = _accounts[account];
        if (a.cash < 0 && a.marketBits == 0 && a.collateralBits == 0) _absorb(account);
    }

    /// @dev The fund pays what the account cannot, as far as its own margin lets it; then the vault, down to its
    /// floor if there is a waterfall; the rest is deficit.
    function _absorb(bytes32 account) internal virtual {
        uint256 missing = (-int256(_accounts[account].cash)).positive();
        if (missing == 0) return;
        if (account != _insurance()) {
            Valuation memory fund = _valuation(_insurance());
            int256 spare = fund.equity - fund.maintenanceMargin.toInt();
            uint256 paid = missing.min(spare.positive());
            missing -= paid;
            _credit(account, paid.toInt());
            _credit(_insurance(), -paid.toInt());
            if (paid != 0) emit LossPaid(account, Taker.Insurance, paid);
        }
        uint256 byVault = missing;
        if (missing != 0 && _waterfall != address(0)) {
            byVault = missing.min((_vaultEquity() - uint256(_risk.vaultFloor).toInt()).positive());
        }
        _vaultCash -= byVault.toInt();
        if (byVault != 0) emit LossPaid(account, Taker.Vault, byVault);
        missing -= byVault;
        _credit(account, -int256(_accounts[account].cash));
        if (missing != 0) {
            _bookDeficit(account, missing);
            IDefaultWaterfall(_waterfall).onDeficit(account, missing);
        }
    }

    function _bookDeficit(bytes32 account, uint256 amount) internal virtual {
        _deficit += amount;
        emit DeficitBooked(account, amount);
    }

    /// @dev Never more than the account's maintenance margin, so that tiny accounts are not worth ruining.
    function _payKeeper(uint256 maintenanceMargin) private {
        int256 cash = _accounts[_insurance()].cash;
        uint256 fee = cash.positive().min(_risk.keeperFee).min(maintenanceMargin);
        _credit(_insurance(), -fee.toInt());
        _credit(PerpMath.mainAccount(msg.sender), fee.toInt());
    }

    // ---- Forced sales

    /// @dev Sells collateral, in the order of listing, until the account's cash is not below zero. How much is
    /// reckoned at the haircut price; what a sale brings beyond the debt stays as cash.
    function _sellForDebt(bytes32 account) private {
        for (uint256 id; id < _collaterals.length && _accounts[account].cash < 0; ++id) {
            uint256 held = _amounts[account][id];
            if (held == 0) continue;
            Collateral storage collateral = _collaterals[id];
            uint256 worth = PerpMath.collateralValueDown(
                held,
                _collateralPriceWad(id, _settlementUsdWad()),
                collateral.unit,
                _valueScale,
                collateral.config.haircutBps
            );
            uint256 debt = (-int256(_accounts[account].cash)).positive();
            _sell(account, id, worth <= debt ? held : held.mulDivUp(debt, worth));
        }
    }

    /// @dev At whatever price there is: a forced sale has no limit.
    function _sell(bytes32 account, uint256 id, uint256 amount) internal virtual {
        if (amount == 0) return;
        address token = _collaterals[id].config.token;
        _setAmount(account, id, _amounts[account][id] - amount);
        IERC20(token).safeApprove(_router, amount);
        uint256 proceeds = IForcedTradeRouter(_router).sell(
            address(this), PerpMath.ownerOf(account), token, _settlement, amount, 0, address(this)
        );
        _credit(account, proceeds.toInt());
        emit CollateralSold(account, token, amount, proceeds);
    }

    // ---- The insurance fund's positions

    function unwind(uint256 market, uint256 size) external nonReentrant unlessPaused(PAUSE_LIQUIDATIONS) {
        if (_accounts[_insurance()].inDefault) revert InDefault(_insurance());
        MarketState memory s = _accrue(market);
        int256 held = _positions[_insurance()][market].size;
        if (held == 0) revert NoPosition(_insurance(), market);
        int256 closed = size.min(held.abs()).toInt();
        if (closed == 0) revert ZeroAmount();
        int256 sizeDelta = held < 0 ? closed : -closed;
        (uint256 priceWad,) = _quote(market, s, sizeDelta);
        _fill(_insurance(), market, FillKind.Unwind, sizeDelta, priceWad, 0);
    }

    // ---- Deficit

    function coverDeficit(uint256 amount) external nonReentrant {
        _reduceDeficit(PerpMath.mainAccount(msg.sender), amount);
        IERC20(_settlement).safeTransferFrom(msg.sender, address(this), amount);
    }

    function haircut(bytes32 account, uint256 amount) external nonReentrant onlyWaterfall {
        int256 profit = _valuation(account).unrealised;
        if (amount > profit.positive()) revert MoreThanProfit(account, amount, profit);
        _reduceDeficit(account, amount);
        _credit(account, -amount.toInt());
    }

    function chargeInsurance(uint256 amount) external nonReentrant onlyWaterfall {
        int256 cash = _accounts[_insurance()].cash;
        if (amount > cash.positive()) revert InsufficientCollateral(_insurance(), _settlement, amount);
        _reduceDeficit(_insurance(), amount);
        _credit(_insurance(), -amount.toInt());
    }

    function chargeVault(uint256 amount) external nonReentrant onlyWaterfall {
        _reduceDeficit(bytes32(0), amount);
        _vaultCash -= amount.toInt();
    }

    function _reduceDeficit(bytes32 from, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        if (amount > _deficit) revert MoreThanDeficit(amount, _deficit);
        _deficit -= amount;
        emit DeficitCovered(from, amount);
    }

    // ---- Accounts in default

    function closePair(bytes32 defaulter, bytes32 other, uint256 market, uint256 size, uint256 priceWad)
        external
        nonReentrant
        onlyWaterfall
        onlyInDefault(defaulter)
    {
        _accrue(market);
        int256 held = _positions[defaulter][market].size;
        int256 opposite = _positions[other][market].size;
        if (size == 0) revert ZeroAmount();
        if ((held < 0) == (opposite < 0) || size > held.abs() || size > opposite.abs()) {
            revert NotOpposite(defaulter, other);
        }
        int256 sizeDelta = held < 0 ? size.toInt() : -size.toInt();
        _fill(defaulter, market, FillKind.Deleverage, sizeDelta, priceWad, 0);
        _fill(other, market, FillKind.Deleverage, -sizeDelta, priceWad, 0);
    }

    function closeToVault(bytes32 defaulter, uint256 market)
        external
        nonReentrant
        onlyWaterfall
        onlyInDefault(defaulter)
    {
        MarketState memory s = _accrue(market);
        int256 held = _positions[defaulter][market].size;
        if (held == 0) revert NoPosition(defaulter, market);
        _fill(defaulter, market, FillKind.Takeover, -held, s.markWad, 0);
    }

    function realiseLoss(bytes32 defaulter, uint256 amount)
        external
        nonReentrant
        onlyWaterfall
        onlyInDefault(defaulter)
    {
        int256 equity = _valuation(defaulter).equity;
        if (amount == 0) revert ZeroAmount();
        if (amount > (-equity).positive()) revert MoreThanLoss(defaulter, amount, equity);
        _credit(defaulter, amount.toInt());
        _bookDeficit(defaulter, amount);
    }

    function writeOff(bytes32 defaulter)
        external
        nonReentrant
        onlyWaterfall
        onlyInDefault(defaulter)
        returns (uint256 amount)
    {
        Account storage a = _accounts[defaulter];
        if (a.marketBits != 0) revert InDefault(defaulter);
        a.inDefault = false;
        amount = (-int256(a.cash)).positive();
        if (amount == 0) return 0;
        _credit(defaulter, amount.toInt());
        _bookDeficit(defaulter, amount);
    }

    // ---- What events hold

    function _snapshot(bytes32 account) private view returns (int256[] memory words, uint256[] memory prices) {
        uint256 markets = _markets.length;
        words = new int256[](1 + 2 * markets + _collaterals.length);
        prices = new uint256[](2 * markets + _collaterals.length);
        words[0] = _accounts[account].cash;
        for (uint256 id; id < markets; ++id) {
            Position storage p = _positions[account][id];
            if (p.size == 0) continue;
            MarketState memory s = _stateNow(id);
            prices[id] = s.markWad;
            prices[markets + _collaterals.length + id] = s.marginScaleBps;
            words[1 + 2 * id] = p.size;
            words[2 + 2 * id] =
                p.cost + PerpMath.fundingUp(p.size, s.fundingIndexWad, p.fundingIndexWad, _valueScale);
        }
        for (uint256 id; id < _collaterals.length; ++id) {
            uint256 amount = _amounts[account][id];
            if (amount == 0) continue;
            words[1 + 2 * markets + id] = amount.toInt();
            prices[markets + id] = _collateralPriceWad(id, _settlementUsdWad());
        }
    }

    /// @dev Eleven arguments are too many for the stack of an `emit`: the fields go through a struct,
    /// whose encoding is a word (0x20) followed by the encoding of its fields as separate arguments.
    function _emitLiquidation(bytes32 account, uint256 market, LiquidationData memory d) private {
        bytes memory data = abi.encode(d);
        bytes32 topic = Liquidation.selector;
        assembly ("memory-safe") {
            log4(add(data, 0x40), sub(mload(data), 0x20), topic, account, market, caller())
        }
    }
}
