// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";
import {IIsolatedLiquidationCallee} from "../interfaces/IIsolatedLiquidationCallee.sol";
import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {FeedReader} from "../libraries/FeedReader.sol";
import {InterestRateModel} from "../libraries/InterestRateModel.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title IsolatedMarket
/// @notice See IIsolatedMarket. An operation charges interest (`_accrue`), changes the totals in memory, writes
/// everything back, and moves tokens and calls back last: whoever is called finds the books closed, and may
/// call any function.
contract IsolatedMarket is IIsolatedMarket {
    using IsolatedMath for uint256;
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant MAX_FEE_WAD = 0.25e18;

    /// @dev From Ray per year to Wad per second.
    uint256 private constant RATE_SCALE = InterestRateModel.SECONDS_PER_YEAR * (Math.RAY / Math.WAD);

    /// @dev MarketState as stored.
    struct Totals {
        uint128 supplyAssets;
        uint128 supplyShares;
        uint128 borrowAssets;
        uint128 borrowShares;
        uint128 updatedAt;
    }

    struct Position {
        uint256 supplyShares;
        uint128 borrowShares;
        uint128 collateral;
    }

    /// @dev What a liquidation does, in the order of the Liquidate event.
    struct Plan {
        uint256 repaidAssets;
        uint256 repaidShares;
        uint256 seizedAssets;
        uint256 badDebtAssets;
        uint256 badDebtShares;
        uint256 collateralBefore;
        uint256 debtBefore;
        uint256 healthFactorBefore;
        uint256 collateralPriceWad;
        uint256 debtPriceWad;
    }

    MarketConfig internal _config;
    IERC20 public immutable collateralToken;
    IERC20 public immutable debtToken;
    uint256 public immutable lltvWad;
    uint256 private immutable _collateralUnit;
    uint256 private immutable _debtUnit;

    /// @dev From feed units to Wad.
    uint256 private immutable _collateralPriceScale;
    uint256 private immutable _debtPriceScale;

    mapping(address owner => mapping(address operator => bool)) public isOperator;
    mapping(address account => Position) internal _positions;
    Totals internal _totals;

    modifier onlyFor(address owner) {
        if (msg.sender != owner && !isOperator[owner][msg.sender]) revert NotAuthorised(owner, msg.sender);
        _;
    }

    constructor(MarketConfig memory config) {
        if (address(config.collateralToken) == address(config.debtToken)) revert InvalidConfig("debtToken");
        if (config.lltvWad >= Math.WAD) revert InvalidConfig("lltvWad");
        if (config.feeWad > MAX_FEE_WAD) revert InvalidConfig("feeWad");
        if (config.feeWad != 0 && config.feeRecipient == address(0)) revert InvalidConfig("feeRecipient");
        if (config.kinkRay == 0 || config.kinkRay >= Math.RAY) revert InvalidConfig("kinkRay");
        _config = config;
        collateralToken = config.collateralToken;
        debtToken = config.debtToken;
        lltvWad = config.lltvWad;
        _collateralUnit = _unitOf(config.collateralToken, "collateralToken");
        _debtUnit = _unitOf(config.debtToken, "debtToken");
        _collateralPriceScale = _scaleOf(config.collateralFeed, "collateralFeed");
        _debtPriceScale = _scaleOf(config.debtFeed, "debtFeed");
        _totals.updatedAt = uint128(block.timestamp);
    }

    // ---- Suppliers

    function supply(uint256 assets, uint256 shares, address onBehalf) external returns (uint256, uint256) {
        _requireOneZero(assets, shares);
        MarketState memory state = _accrue();
        if (assets != 0) shares = _mintedSupplyShares(assets, state);
        else assets = shares.toAssetsUp(state.totalSupplyAssets, state.totalSupplyShares);

        _positions[onBehalf].supplyShares += shares;
        state.totalSupplyShares += shares;
        state.totalSupplyAssets += assets;
        _store(state);

        emit Supply(msg.sender, onBehalf, assets, shares);
        debtToken.safeTransferFrom(msg.sender, address(this), assets);
        return (assets, shares);
    }

    function withdraw(uint256 assets, uint256 shares, address owner, address to)
        external
        onlyFor(owner)
        returns (uint256, uint256)
    {
        _requireOneZero(assets, shares);
        MarketState memory state = _accrue();
        if (assets != 0) shares = assets.toSharesUp(state.totalSupplyAssets, state.totalSupplyShares);
        else assets = shares.toAssetsDown(state.totalSupplyAssets, state.totalSupplyShares);
        uint256 held = _positions[owner].supplyShares;
        if (shares > held) revert InsufficientShares(owner, held, shares);
        _requireCash(state, assets);

        _positions[owner].supplyShares = held - shares;
        state.totalSupplyShares -= shares;
        state.totalSupplyAssets -= assets;
        _store(state);

        emit Withdraw(owner, to, assets, shares);
        debtToken.safeTransfer(to, assets);
        return (assets, shares);
    }

    // ---- Borrowers

    function supplyCollateral(uint256 assets, address onBehalf) external {
        if (assets == 0) revert ZeroAmount();
        Position storage held = _positions[onBehalf];
        held.collateral = _uint128(held.collateral + assets);
        emit SupplyCollateral(msg.sender, onBehalf, assets);
        collateralToken.safeTransferFrom(msg.sender, address(this), assets);
    }

    function withdrawCollateral(uint256 assets, address owner, address to) external onlyFor(owner) {
        if (assets == 0) revert ZeroAmount();
        MarketState memory state = _accrue();
        Position storage held = _positions[owner];
        if (assets > held.collateral) revert InsufficientCollateral(owner, held.collateral, assets);
        held.collateral -= uint128(assets);
        _requireHealthy(state, owner);
        _store(state);
        emit WithdrawCollateral(owner, to, assets);
        collateralToken.safeTransfer(to, assets);
    }

    function borrow(uint256 assets, uint256 shares, address owner, address to)
        external
        onlyFor(owner)
        returns (uint256, uint256)
    {
        _requireOneZero(assets, shares);
        MarketState memory state = _accrue();
        if (assets != 0) shares = assets.toSharesUp(state.totalBorrowAssets, state.totalBorrowShares);
        else assets = shares.toAssetsDown(state.totalBorrowAssets, state.totalBorrowShares);
        _requireCash(state, assets);

        Position storage held = _positions[owner];
        held.borrowShares = _uint128(held.borrowShares + shares);
        state.totalBorrowShares += shares;
        state.totalBorrowAssets += assets;
        _requireHealthy(state, owner);
        _store(state);

        emit Borrow(owner, to, assets, shares);
        debtToken.safeTransfer(to, assets);
        return (assets, shares);
    }

    function repay(uint256 assets, uint256 shares, address onBehalf) external returns (uint256, uint256) {
        _requireOneZero(assets, shares);
        MarketState memory state = _accrue();
        if (assets != 0) shares = assets.toSharesDown(state.totalBorrowAssets, state.totalBorrowShares);
        else assets = shares.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        Position storage held = _positions[onBehalf];
        if (shares > held.borrowShares) revert InsufficientShares(onBehalf, held.borrowShares, shares);

        held.borrowShares -= uint128(shares);
        state.totalBorrowShares -= shares;
        // `assets` may exceed the total by 1.
        state.totalBorrowAssets = state.totalBorrowAssets.subFloor(assets);
        _store(state);

        emit Repay(msg.sender, onBehalf, assets, shares);
        debtToken.safeTransferFrom(msg.sender, address(this), assets);
        return (assets, shares);
    }

    function setOperator(address operator, bool allowed) external {
        isOperator[msg.sender][operator] = allowed;
        emit OperatorSet(msg.sender, operator, allowed);
    }

    // ---- Liquidation

    function liquidate(address account, uint256 seizedAssets, uint256 repaidShares, bytes calldata data)
        external
        returns (uint256, uint256)
    {
        MarketState memory state = _accrue();
        Plan memory plan = _plan(state, account, seizedAssets, repaidShares);
        _settle(state, plan);

        Position storage held = _positions[account];
        held.borrowShares -= uint128(plan.repaidShares + plan.badDebtShares);
        held.collateral -= uint128(plan.seizedAssets);
        _store(state);

        _emitLiquidate(account, plan);
        collateralToken.safeTransfer(msg.sender, plan.seizedAssets);
        if (data.length != 0) {
            IIsolatedLiquidationCallee(msg.sender).onIsolatedLiquidation(
                plan.repaidAssets, plan.seizedAssets, data
            );
        }
        debtToken.safeTransferFrom(msg.sender, address(this), plan.repaidAssets);
        return (plan.repaidAssets, plan.seizedAssets);
    }

    function quoteLiquidation(address account, uint256 seizedAssets, uint256 repaidShares)
        external
        view
        returns (uint256, uint256, uint256, uint256)
    {
        (MarketState memory state,,,) = _accrued();
        Plan memory plan = _plan(state, account, seizedAssets, repaidShares);
        _settle(state, plan);
        return (plan.repaidAssets, plan.seizedAssets, plan.badDebtAssets, plan.healthFactorBefore);
    }

    // ---- Anybody

    function flashLoan(IFlashBorrower borrower, address asset, uint256 assets, bytes calldata data) external {
        if (assets == 0) revert ZeroAmount();
        emit FlashLoan(asset, address(borrower), msg.sender, assets, 0);
        IERC20(asset).safeTransfer(address(borrower), assets);
        borrower.onFlashLoan(msg.sender, asset, assets, 0, data);
        IERC20(asset).safeTransferFrom(address(borrower), address(this), assets);
    }

    function accrueInterest() external {
        _store(_accrue());
    }

    // ---- Views

    function marketConfig() external view returns (MarketConfig memory) {
        return _config;
    }

    function incentiveFactorWad() external view returns (uint256) {
        return _incentiveFactorWad();
    }

    function marketState() external view returns (MarketState memory state) {
        (state,,,) = _accrued();
    }

    function position(address account) external view returns (uint256, uint256, uint256) {
        Position storage held = _positions[account];
        uint256 feeShares = 0;
        if (account == _config.feeRecipient) (,,, feeShares) = _accrued();
        return (held.supplyShares + feeShares, held.borrowShares, held.collateral);
    }

    function price() external view returns (uint256) {
        (uint256 collateralPriceWad, uint256 debtPriceWad) = pricesWad();
        return _price(collateralPriceWad, debtPriceWad);
    }

    function pricesWad() public view returns (uint256 collateralPriceWad, uint256 debtPriceWad) {
        collateralPriceWad = _read(_config.collateralFeed) * _collateralPriceScale;
        debtPriceWad = _read(_config.debtFeed) * _debtPriceScale;
    }

    function healthFactor(address account) external view returns (uint256) {
        (MarketState memory state,,,) = _accrued();
        return _healthFactor(state, account);
    }

    // ---- Interest

    /// @dev The totals with interest up to now; what it came to, and the shares that the fee is worth.
    function _accrued()
        internal
        view
        returns (MarketState memory state, uint256 rateWad, uint256 interest, uint256 feeShares)
    {
        Totals storage totals = _totals;
        state = MarketState({
            totalSupplyAssets: totals.supplyAssets,
            totalSupplyShares: totals.supplyShares,
            totalBorrowAssets: totals.borrowAssets,
            totalBorrowShares: totals.borrowShares,
            updatedAt: block.timestamp
        });
        uint256 elapsed = block.timestamp - totals.updatedAt;
        if (elapsed == 0) return (state, 0, 0, 0);
        rateWad = _ratePerSecondWad(state);
        interest = state.totalBorrowAssets.mulDivDown(rateWad.growthDown(elapsed), Math.WAD);
        state.totalBorrowAssets += interest;
        state.totalSupplyAssets += interest;
        uint256 fee = interest.mulDivDown(_config.feeWad, Math.WAD);
        // The fee buys shares at the price they have without it.
        feeShares = fee.toSharesDown(state.totalSupplyAssets - fee, state.totalSupplyShares);
        state.totalSupplyShares += feeShares;
    }

    /// @dev Charges interest; the caller stores the totals.
    function _accrue() internal returns (MarketState memory state) {
        uint256 rateWad;
        uint256 interest;
        uint256 feeShares;
        (state, rateWad, interest, feeShares) = _accrued();
        if (feeShares != 0) _positions[_config.feeRecipient].supplyShares += feeShares;
        if (interest != 0) emit InterestAccrued(rateWad, interest, feeShares);
    }

    function _ratePerSecondWad(MarketState memory state) internal view virtual returns (uint256) {
        MarketConfig storage config = _config;
        return InterestRateModel.borrowRateRay(
            InterestRateModel.utilisationRay(
                state.totalSupplyAssets - state.totalBorrowAssets, state.totalBorrowAssets
            ),
            config.baseRateRay,
            config.slope1Ray,
            config.slope2Ray,
            config.kinkRay
        ) / RATE_SCALE;
    }

    // ---- Rules

    function _mintedSupplyShares(uint256 assets, MarketState memory state)
        internal
        pure
        virtual
        returns (uint256)
    {
        return assets.toSharesDown(state.totalSupplyAssets, state.totalSupplyShares);
    }

    function _incentiveFactorWad() internal view virtual returns (uint256) {
        return IsolatedMath.incentiveFactorDown(lltvWad);
    }

    function _isLiquidatable(uint256 healthFactorWad) internal pure virtual returns (bool) {
        return healthFactorWad < Math.WAD;
    }

    /// @dev What `liquidate` would repay and seize.
    function _plan(MarketState memory state, address account, uint256 seizedAssets, uint256 repaidShares)
        internal
        view
        returns (Plan memory plan)
    {
        _requireOneZero(seizedAssets, repaidShares);
        Position memory held = _positions[account];
        (plan.collateralPriceWad, plan.debtPriceWad) = pricesWad();
        uint256 priceNow = _price(plan.collateralPriceWad, plan.debtPriceWad);
        plan.collateralBefore = held.collateral;
        plan.debtBefore =
            uint256(held.borrowShares).toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        plan.healthFactorBefore = plan.collateralBefore.maxDebtDown(priceNow, lltvWad).healthFactorDown(
            plan.debtBefore
        );
        if (!_isLiquidatable(plan.healthFactorBefore)) revert Healthy(account, plan.healthFactorBefore);

        if (repaidShares == type(uint256).max) {
            repaidShares = held.borrowShares;
            seizedAssets = _seizedFor(state, repaidShares, priceNow);
            if (seizedAssets > held.collateral) {
                seizedAssets = held.collateral;
                // No more than the debt: less than what was seized for it, rounded up from below it.
                repaidShares = _repaidFor(state, seizedAssets, priceNow);
            }
        } else if (seizedAssets != 0) {
            repaidShares = _repaidFor(state, seizedAssets, priceNow);
        } else {
            seizedAssets = _seizedFor(state, repaidShares, priceNow);
        }
        if (repaidShares > held.borrowShares) {
            revert InsufficientShares(account, held.borrowShares, repaidShares);
        }
        if (seizedAssets > held.collateral) {
            revert InsufficientCollateral(account, held.collateral, seizedAssets);
        }
        plan.repaidShares = repaidShares;
        plan.seizedAssets = seizedAssets;
        plan.repaidAssets = repaidShares.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        if (seizedAssets == held.collateral) plan.badDebtShares = held.borrowShares - repaidShares;
    }

    /// @dev Takes what is repaid and what is lost off the totals, in memory.
    function _settle(MarketState memory state, Plan memory plan) internal view virtual {
        state.totalBorrowShares -= plan.repaidShares;
        // What is repaid may exceed the total by 1.
        state.totalBorrowAssets = state.totalBorrowAssets.subFloor(plan.repaidAssets);
        if (plan.badDebtShares == 0) return;
        plan.badDebtAssets = plan.badDebtShares.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares)
            .min(state.totalBorrowAssets);
        state.totalBorrowAssets -= plan.badDebtAssets;
        state.totalBorrowShares -= plan.badDebtShares;
        state.totalSupplyAssets -= plan.badDebtAssets;
    }

    function _repaidFor(MarketState memory state, uint256 seizedAssets, uint256 priceNow)
        private
        view
        returns (uint256 shares)
    {
        return seizedAssets.mulDivUp(priceNow, IsolatedMath.PRICE_SCALE).mulDivUp(
            Math.WAD, _incentiveFactorWad()
        ).toSharesUp(state.totalBorrowAssets, state.totalBorrowShares);
    }

    function _seizedFor(MarketState memory state, uint256 repaidShares, uint256 priceNow)
        private
        view
        returns (uint256 assets)
    {
        return repaidShares.toAssetsDown(state.totalBorrowAssets, state.totalBorrowShares).mulDivDown(
            _incentiveFactorWad(), Math.WAD
        ).mulDivDown(IsolatedMath.PRICE_SCALE, priceNow);
    }

    function _healthFactor(MarketState memory state, address account) internal view returns (uint256) {
        Position storage held = _positions[account];
        if (held.borrowShares == 0) return IsolatedMath.NO_DEBT;
        (uint256 collateralPriceWad, uint256 debtPriceWad) = pricesWad();
        uint256 debt = uint256(held.borrowShares).toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        return uint256(held.collateral).maxDebtDown(_price(collateralPriceWad, debtPriceWad), lltvWad)
            .healthFactorDown(debt);
    }

    function _requireHealthy(MarketState memory state, address account) internal view {
        uint256 healthFactorWad = _healthFactor(state, account);
        if (healthFactorWad < Math.WAD) revert Unhealthy(account, healthFactorWad);
    }

    function _requireCash(MarketState memory state, uint256 needed) internal pure {
        uint256 cash = state.totalSupplyAssets - state.totalBorrowAssets;
        if (needed > cash) revert InsufficientCash(cash, needed);
    }

    function _requireOneZero(uint256 first, uint256 second) private pure {
        if ((first == 0) == (second == 0)) revert InconsistentInput(first, second);
    }

    // ---- Prices

    function _price(uint256 collateralPriceWad, uint256 debtPriceWad) private view returns (uint256) {
        return IsolatedMath.priceDown(collateralPriceWad, debtPriceWad, _collateralUnit, _debtUnit);
    }

    function _read(FeedConfig storage config) private view returns (uint256) {
        return FeedReader.read(config.feed, config.maxAge, config.minAnswer, config.maxAnswer);
    }

    function _unitOf(IERC20 token, string memory field) private view returns (uint256) {
        uint256 decimals = token.decimals();
        if (decimals > 18) revert InvalidConfig(field);
        return 10 ** decimals;
    }

    function _scaleOf(FeedConfig memory config, string memory field) private view returns (uint256) {
        uint256 decimals = config.feed.decimals();
        if (decimals > 18 || config.maxAnswer <= config.minAnswer) revert InvalidConfig(field);
        return 10 ** (18 - decimals);
    }

    // ---- Writes

    function _store(MarketState memory state) internal virtual {
        _totals = Totals({
            supplyAssets: _uint128(state.totalSupplyAssets),
            supplyShares: _uint128(state.totalSupplyShares),
            borrowAssets: _uint128(state.totalBorrowAssets),
            borrowShares: _uint128(state.totalBorrowShares),
            updatedAt: uint128(state.updatedAt)
        });
    }

    function _uint128(uint256 amount) internal pure returns (uint128) {
        if (amount > type(uint128).max) revert AmountTooLarge(amount);
        return uint128(amount);
    }

    /// @dev Twelve arguments are too many for the stack of an `emit`; a struct of words encodes as its fields.
    function _emitLiquidate(address account, Plan memory plan) private {
        bytes memory data = abi.encode(plan);
        bytes32 topic = Liquidate.selector;
        assembly ("memory-safe") {
            log3(add(data, 0x20), mload(data), topic, account, caller())
        }
    }
}
