// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPerpExchange} from "../interfaces/IPerpExchange.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {PerpCore} from "./PerpCore.sol";
import {PerpMath} from "./PerpMath.sol";

/// @title PerpExchange
/// @notice See IPerpExchange. This contract holds the books, and does accounts, trades, margin calls and the
/// vault's part itself; administration and liquidation are in PerpAdmin and PerpLiquidation, which it calls by
/// delegation.
contract PerpExchange is PerpCore, IPerpExchange {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;
    using SafeTransfer for IERC20;

    address private immutable _adminPart;
    address private immutable _liquidationPart;

    modifier onlyVault() {
        if (msg.sender != _vault) revert NotVault(msg.sender);
        _;
    }

    modifier onlyFor(bytes32 account) {
        address owner = PerpMath.ownerOf(account);
        if (msg.sender != owner && !_isOperator[owner][msg.sender]) revert NotAuthorised(account, msg.sender);
        if (_accounts[account].inDefault) revert InDefault(account);
        _;
    }

    /// @param settlement_ Of at most 18 decimals; contracts are quoted in it.
    /// @param settlementFeed_ Its USD price; zero fixes it at 1.
    /// @param router_ Where collateral of liquidated accounts is sold.
    /// @param adminPart A PerpAdmin.
    /// @param liquidationPart A PerpLiquidation.
    constructor(
        address admin_,
        address settlement_,
        address settlementFeed_,
        address router_,
        address adminPart,
        address liquidationPart
    ) {
        _admin = admin_;
        _settlement = settlement_;
        _settlementFeed = settlementFeed_;
        _router = router_;
        _adminPart = adminPart;
        _liquidationPart = liquidationPart;
        uint256 decimals = IERC20(settlement_).decimals();
        if (decimals > 18) revert InvalidConfig("settlement");
        if (settlementFeed_ != address(0) && IPriceFeed(settlementFeed_).decimals() > 18) {
            revert InvalidConfig("settlementFeed");
        }
        _valueScale = 10 ** (36 - decimals);
    }

    // ---- Accounts

    function setOperator(address operator, bool allowed) external {
        _isOperator[msg.sender][operator] = allowed;
        emit OperatorSet(msg.sender, operator, allowed);
    }

    function deposit(bytes32 account, address token, uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        if (_accounts[account].inDefault) revert InDefault(account);
        if (token == _settlement) _credit(account, amount.toInt());
        else _addCollateral(account, token, amount);
        emit Deposit(account, token, msg.sender, amount);
        _endCallIfPriced(account);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(bytes32 account, address token, uint256 amount, address to)
        external
        nonReentrant
        onlyFor(account)
        unlessPaused(PAUSE_WITHDRAWALS)
    {
        _take(account, token, amount);
        _requireWithdrawable(account);
        emit Withdraw(account, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    function move(bytes32 from, bytes32 to, address token, uint256 amount)
        external
        nonReentrant
        onlyFor(from)
        unlessPaused(PAUSE_WITHDRAWALS)
    {
        if (PerpMath.ownerOf(from) != PerpMath.ownerOf(to)) revert DifferentOwner(from, to);
        if (_accounts[to].inDefault) revert InDefault(to);
        _take(from, token, amount);
        if (token == _settlement) _credit(to, amount.toInt());
        else _addCollateral(to, token, amount);
        _requireWithdrawable(from);
        emit Moved(from, to, token, amount);
        _endCallIfPriced(to);
    }

    function _addCollateral(bytes32 account, address token, uint256 amount) private {
        uint256 id = _collateralId(token);
        _setAmount(account, id, _amounts[account][id] + amount);
        uint256 cap = _collaterals[id].config.cap;
        if (_collaterals[id].total > cap) revert CollateralCap(token, cap, _collaterals[id].total);
    }

    function _take(bytes32 account, address token, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        if (token == _settlement) {
            _credit(account, -amount.toInt());
            if (_accounts[account].cash < 0) revert InsufficientCollateral(account, token, amount);
            return;
        }
        uint256 id = _collateralId(token);
        uint256 held = _amounts[account][id];
        if (amount > held) revert InsufficientCollateral(account, token, amount);
        _setAmount(account, id, held - amount);
    }

    /// @dev The withdrawal margin floor is Hyperliquid's rule since March 2025: the larger of the initial margin
    /// and a share of the notional stays behind.
    function _requireWithdrawable(bytes32 account) internal view virtual {
        if (_isIdle(account)) return;
        uint256 bits = _accounts[account].marketBits;
        for (uint256 id; bits != 0; (++id, bits >>= 1)) {
            if (bits & 1 != 0) _requireInBand(id, _stateNow(id));
        }
        Valuation memory v = _valuation(account);
        int256 equity = v.equity;
        if (!_risk.withdrawProfit) equity -= v.unrealised.positive().toInt();
        _requireMargin(
            account, equity, v.initialMargin.max(v.notional.mulDivUp(_risk.withdrawFloorBps, BPS))
        );
    }

    // ---- Trading

    function trade(bytes32 account, uint256 market, int256 sizeDelta, uint256 limitWad)
        external
        nonReentrant
        onlyFor(account)
        unlessPaused(PAUSE_TRADES)
        returns (uint256 priceWad)
    {
        if (sizeDelta == 0) revert ZeroAmount();
        uint256 only = PerpMath.isolatedMarketPlusOne(account);
        if (only != 0 && only != market + 1) revert IsolatedMarket(account, market);
        MarketState memory s = _accrue(market);
        _requireInBand(market, s);
        uint256 fee;
        (priceWad, fee) = _quote(market, s, sizeDelta);
        if (sizeDelta > 0 ? priceWad > limitWad : priceWad < limitWad) revert PriceLimit(priceWad, limitWad);

        int256 sizeBefore = _positions[account][market].size;
        _fill(account, market, FillKind.Trade, sizeDelta, priceWad, fee);
        _shareFee(fee);

        int256 sizeAfter = sizeBefore + sizeDelta;
        bool grows = sizeAfter.abs() > sizeBefore.abs()
            || (sizeAfter != 0 && (sizeAfter < 0) != (sizeBefore < 0));
        if (grows) _requireWithinCap(market, sizeAfter > 0);
        if (_isIdle(account) && _accounts[account].calledAt == 0) return priceWad;
        Valuation memory v = _valuation(account);
        _requireMargin(account, v.equity, grows ? v.initialMargin : v.maintenanceMargin);
        _endCallIfRestored(account, v);
    }

    function _requireInBand(uint256 id, MarketState memory s) internal view virtual {
        uint256 bandBps = _markets[id].config.bandBps;
        if (bandBps == 0) return;
        uint256 distance = s.indexWad > s.referenceWad ? s.indexWad - s.referenceWad : s.referenceWad - s.indexWad;
        if (distance * BPS > s.referenceWad * bandBps) revert PriceOutOfBand(id, s.indexWad, s.referenceWad);
    }

    function _requireWithinCap(uint256 id, bool long) internal view virtual {
        Market storage market = _markets[id];
        (uint256 cap, uint256 size) =
            long ? (market.config.longCap, market.longSize) : (market.config.shortCap, market.shortSize);
        if (size > cap) revert OpenInterestCap(id, cap, size);
    }

    function _shareFee(uint256 fee) internal virtual {
        uint256 toVault = fee.mulDivDown(_risk.feeVaultBps, BPS);
        uint256 toInsurance = fee.mulDivDown(_risk.feeInsuranceBps, BPS);
        _vaultCash += toVault.toInt();
        _credit(_insurance(), toInsurance.toInt());
        _fees += fee - toVault - toInsurance;
    }

    function accrue(uint256 market) external nonReentrant {
        _accrue(market);
    }

    // ---- Margin calls

    function call(bytes32 account) external {
        Account storage a = _accounts[account];
        if (a.calledAt != 0) revert AlreadyCalled(account, a.calledAt);
        Valuation memory v = _valuation(account);
        if (!_isCallable(v)) revert NotCallable(account, v.equity, v.callMargin);
        a.calledAt = uint64(block.timestamp);
        emit MarginCall(account, v.equity, v.callMargin, v.maintenanceMargin);
    }

    function endCall(bytes32 account) external {
        if (_accounts[account].calledAt == 0) revert NotCalled(account);
        Valuation memory v = _valuation(account);
        if (_isCallable(v)) revert StillCalled(account, v.equity, v.callMargin);
        _endCallIfRestored(account, v);
    }

    /// @dev Paying in must work without prices too: then the episode stays open until endCall.
    function _endCallIfPriced(bytes32 account) private {
        if (_accounts[account].calledAt == 0) return;
        try this.valuation(account) returns (Valuation memory v) {
            _endCallIfRestored(account, v);
        } catch {}
    }

    /// @dev Exactly at the call margin is not called.
    function _isCallable(Valuation memory v) internal view virtual returns (bool) {
        return v.equity < v.callMargin.toInt();
    }

    // ---- The vault's part

    function vaultDeposit(uint256 amount) external nonReentrant onlyVault {
        _vaultCash += amount.toInt();
        emit VaultChanged(amount.toInt());
        IERC20(_settlement).safeTransferFrom(msg.sender, address(this), amount);
    }

    function vaultWithdraw(uint256 amount, address to)
        external
        nonReentrant
        onlyVault
        unlessPaused(PAUSE_WITHDRAWALS)
    {
        _vaultCash -= amount.toInt();
        uint256 needed = _openNotionalUp().mulDivUp(_risk.vaultLockBps, BPS);
        int256 equity = _vaultEquity();
        if (equity < needed.toInt()) revert VaultLocked(equity, needed);
        emit VaultChanged(-amount.toInt());
        IERC20(_settlement).safeTransfer(to, amount);
    }

    /// @dev Of the larger side of each market, at the mark price.
    function _openNotionalUp() private view returns (uint256 notional) {
        for (uint256 id; id < _markets.length; ++id) {
            Market storage market = _markets[id];
            uint256 size = uint256(market.longSize).max(market.shortSize);
            if (size != 0) notional += size.mulDivUp(_stateNow(id).markWad, _valueScale);
        }
    }

    // ---- Parts

    function listMarket(MarketConfig calldata, Tier[] calldata) external {
        _delegate(_adminPart);
    }

    function setMarketConfig(uint256, MarketConfig calldata, Tier[] calldata) external {
        _delegate(_adminPart);
    }

    function listCollateral(CollateralConfig calldata) external {
        _delegate(_adminPart);
    }

    function setCollateralConfig(CollateralConfig calldata) external {
        _delegate(_adminPart);
    }

    function setRiskConfig(RiskConfig calldata) external {
        _delegate(_adminPart);
    }

    function setPaused(uint8) external {
        _delegate(_adminPart);
    }

    function setVault(address) external {
        _delegate(_adminPart);
    }

    function setWaterfall(address) external {
        _delegate(_adminPart);
    }

    function collectFees(address) external returns (uint256) {
        _delegate(_adminPart);
    }

    function liquidate(bytes32, uint256) external {
        _delegate(_liquidationPart);
    }

    function unwind(uint256, uint256) external {
        _delegate(_liquidationPart);
    }

    function coverDeficit(uint256) external {
        _delegate(_liquidationPart);
    }

    function closePair(bytes32, bytes32, uint256, uint256, uint256) external {
        _delegate(_liquidationPart);
    }

    function closeToVault(bytes32, uint256) external {
        _delegate(_liquidationPart);
    }

    function realiseLoss(bytes32, uint256) external {
        _delegate(_liquidationPart);
    }

    function writeOff(bytes32) external returns (uint256) {
        _delegate(_liquidationPart);
    }

    function haircut(bytes32, uint256) external {
        _delegate(_liquidationPart);
    }

    function chargeInsurance(uint256) external {
        _delegate(_liquidationPart);
    }

    function chargeVault(uint256) external {
        _delegate(_liquidationPart);
    }

    /// @dev Runs this call's data on `part` with this contract's storage, and ends the call with its result.
    function _delegate(address part) private {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), part, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            switch success
            case 0 { revert(data, returndatasize()) }
            default { return(data, returndatasize()) }
        }
    }

    // ---- Views

    function admin() external view returns (address) {
        return _admin;
    }

    function settlement() external view returns (address) {
        return _settlement;
    }

    function settlementFeed() external view returns (address) {
        return _settlementFeed;
    }

    function valueScale() external view returns (uint256) {
        return _valueScale;
    }

    function router() external view returns (address) {
        return _router;
    }

    function vault() external view returns (address) {
        return _vault;
    }

    function waterfall() external view returns (address) {
        return _waterfall;
    }

    function paused() external view returns (uint8) {
        return _paused;
    }

    function isOperator(address owner, address operator) external view returns (bool) {
        return _isOperator[owner][operator];
    }

    function insuranceAccount() external view returns (bytes32) {
        return _insurance();
    }

    function marketCount() external view returns (uint256) {
        return _markets.length;
    }

    function collateralCount() external view returns (uint256) {
        return _collaterals.length;
    }

    function marketConfig(uint256 market) external view returns (MarketConfig memory, Tier[] memory) {
        return (_market(market).config, _markets[market].tiers);
    }

    function collateralConfig(uint256 collateral) external view returns (CollateralConfig memory) {
        return _collaterals[collateral].config;
    }

    function riskConfig() external view returns (RiskConfig memory) {
        return _risk;
    }

    function marketState(uint256 market) external view returns (MarketState memory) {
        return _stateNow(market);
    }

    function marketStateAt(uint256 market, uint256 usdWad, uint256 settlementUsd)
        external
        view
        returns (MarketState memory)
    {
        return _state(market, PerpMath.quoteDown(usdWad, settlementUsd));
    }

    function marketUsdWad(uint256 market) external view returns (uint256) {
        return _marketUsdWad(market);
    }

    function collateralUsdWad(uint256 collateral) external view returns (uint256) {
        return _collateralUsdWad(collateral);
    }

    function settlementUsdWad() external view returns (uint256) {
        return _settlementUsdWad();
    }

    function accountWords(bytes32 account) external view returns (uint256[] memory words) {
        uint256 markets = _markets.length;
        uint256 collaterals = _collaterals.length;
        words = new uint256[](1 + 2 * markets + collaterals);
        Account storage a = _accounts[account];
        words[0] = PerpMath.pack(a.cash, 0) | (a.inDefault ? 1 << 64 : 0) | a.calledAt;
        for (uint256 id; id < markets; ++id) {
            if (a.marketBits >> id & 1 == 0) continue;
            Position storage p = _positions[account][id];
            words[1 + 2 * id] = PerpMath.pack(p.size, p.cost);
            words[2 + 2 * id] =
                PerpMath.pack(p.fundingIndexWad, 0) | uint256(p.steps) << 64 | p.steppedAt;
        }
        for (uint256 id; id < collaterals; ++id) {
            words[1 + 2 * markets + id] = _amounts[account][id];
        }
    }

    function valuation(bytes32 account) external view returns (Valuation memory) {
        return _valuation(account);
    }

    function quoteFill(uint256 market, int256 sizeDelta) external view returns (uint256 priceWad, uint256 fee) {
        if (sizeDelta == 0) revert ZeroAmount();
        return _quote(market, _stateNow(market), sizeDelta);
    }

    function vaultEquity() external view returns (int256) {
        return _vaultEquity();
    }

    function books()
        external
        view
        returns (int256 cash, int256 insuranceCash, int256 vaultCash, uint256 fees, uint256 deficit)
    {
        return (_cash, _accounts[_insurance()].cash, _vaultCash, _fees, _deficit);
    }

    function collateralTotal(uint256 collateral) external view returns (uint256) {
        return _collaterals[collateral].total;
    }
}
