// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {FeedReader} from "../libraries/FeedReader.sol";
import {InterestRateModel} from "../libraries/InterestRateModel.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title PooledMarket
/// @notice See IPooledMarket. An operation reads an asset's books into memory with interest charged
/// (`_accrued`), changes them there, and writes them back once (`_store`) before any token moves.
contract PooledMarket is IPooledMarket {
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant BPS = PositionMath.BPS;

    uint256 internal constant PIPS = 1e6;

    /// @dev Bounds the loop over an account's assets.
    uint256 internal constant MAX_ASSETS = 64;

    uint256 internal constant MAX_GRACE_PERIOD = 1 days;

    /// @dev `liquidationsFrom` while the market is paused.
    uint256 internal constant PAUSED = type(uint256).max;

    struct Listing {
        AssetConfig config;
        /// One whole token, in base units.
        uint64 unit;
        /// From feed units to Wad.
        uint64 priceScale;
    }

    /// @dev AssetState as stored.
    struct Books {
        uint128 cash;
        uint128 reserves;
        uint128 deficit;
        uint128 totalScaledSupply;
        uint128 totalScaledDebt;
        uint128 supplyIndexRay;
        uint128 borrowIndexRay;
        uint128 updatedAt;
    }

    /// @dev One account with everything it holds valued; the entries of assets it does not hold are empty.
    struct Account {
        address owner;
        uint256[] scaled;
        AssetState[] states;
        AssetTerms[] terms;
        uint256 borrowLimitUsd;
        uint256 debtUsd;
        uint256 healthFactorWad;
    }

    /// @dev What a liquidation does. `claims` and `debt` are the account's in the two chosen assets.
    struct Plan {
        uint256 collateralId;
        uint256 debtId;
        uint256 claims;
        uint256 debt;
        uint256 repaid;
        uint256 seized;
        uint256 protocolFee;
        uint256 repaidUsd;
        uint256 seizedUsd;
    }

    /// @dev The Liquidate event's fields that are not indexed, in its order.
    struct LiquidateData {
        address collateralAsset;
        address debtAsset;
        uint256 repaid;
        uint256 seized;
        uint256 protocolFee;
        uint256 repaidUsdWad;
        uint256 seizedUsdWad;
        uint256 healthFactorBefore;
        uint256[] positionBefore;
        uint256[] prices;
    }

    address public immutable admin;

    address public liquidationModule;
    uint256 public liquidationsFrom;
    uint256 public flashLoanFeePips;

    mapping(address owner => mapping(address operator => bool)) public isOperator;
    mapping(address asset => uint256) public softSupplyCap;

    LiquidationConfig internal _liquidationConfig;
    Listing[] internal _listings;
    Books[] internal _books;
    mapping(address asset => uint256) internal _idPlusOne;

    /// @dev By asset id: scaled claims << 128 | scaled debt.
    mapping(address account => uint256[MAX_ASSETS]) internal _scaled;

    bool internal transient _entered;

    modifier onlyAdmin() {
        _requireAdmin();
        _;
    }

    modifier onlyModule() {
        if (msg.sender != liquidationModule) revert NotModule(msg.sender);
        _;
    }

    modifier onlyFor(address owner) {
        if (msg.sender != owner && !isOperator[owner][msg.sender]) revert NotAuthorised(owner, msg.sender);
        _;
    }

    /// @dev Whatever moves a balance: one at a time, and none while paused.
    modifier nonReentrant() {
        _enter();
        _;
        _entered = false;
    }

    constructor(address admin_, LiquidationConfig memory config) {
        admin = admin_;
        _setLiquidationConfig(config);
    }

    // ---- Administration

    function listAsset(AssetConfig calldata config) external onlyAdmin {
        if (_idPlusOne[config.asset] != 0) revert AlreadyListed(config.asset);
        uint256 id = _listings.length;
        if (id == MAX_ASSETS) revert TooManyAssets();
        _listings.push();
        _books.push();
        _idPlusOne[config.asset] = id + 1;
        Books storage books = _books[id];
        books.supplyIndexRay = uint128(Math.RAY);
        books.borrowIndexRay = uint128(Math.RAY);
        books.updatedAt = uint128(block.timestamp);
        emit AssetListed(config.asset, id);
        _configure(id, config);
    }

    function setAssetConfig(AssetConfig calldata config) external onlyAdmin {
        uint256 id = _idOf(config.asset);
        _store(id, _accrued(id));
        _configure(id, config);
    }

    function setLiquidationConfig(LiquidationConfig calldata config) external onlyAdmin {
        _setLiquidationConfig(config);
    }

    function setLiquidationModule(address module) external onlyAdmin {
        if (_listings.length != 0) revert ModuleFixed();
        liquidationModule = module;
        emit LiquidationModuleSet(module);
    }

    function setPaused(bool paused_, uint256 gracePeriod) external onlyAdmin {
        if (paused_) {
            liquidationsFrom = PAUSED;
        } else {
            if (!paused()) revert NotPaused();
            if (gracePeriod > MAX_GRACE_PERIOD) revert InvalidConfig(address(0), "gracePeriod");
            liquidationsFrom = block.timestamp + gracePeriod;
        }
        emit PausedSet(paused_, liquidationsFrom);
    }

    function setFlashLoanFee(uint256 feePips) external onlyAdmin {
        if (feePips > PIPS) revert InvalidConfig(address(0), "flashLoanFeePips");
        flashLoanFeePips = feePips;
        emit FlashLoanFeeSet(feePips);
    }

    function setSoftSupplyCap(address asset, uint256 cap) external onlyAdmin {
        _idOf(asset);
        softSupplyCap[asset] = cap;
        emit SoftSupplyCapSet(asset, cap);
    }

    // ---- Accounts

    function setOperator(address operator, bool allowed) external {
        isOperator[msg.sender][operator] = allowed;
        emit OperatorSet(msg.sender, operator, allowed);
    }

    function supply(address asset, uint256 amount, address onBehalf) external nonReentrant {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 claims, uint256 debt) = PositionMath.split(_scaled[onBehalf][id]);

        state.cash += amount;
        uint256 minted = _mintClaims(state, amount);
        if (minted == 0) revert ZeroAmount();
        uint256 cap = _listings[id].config.supplyCap;
        uint256 totalClaims = _totalClaims(state);
        if (totalClaims > cap) revert SupplyCapExceeded(asset, cap, totalClaims);

        _store(id, state);
        _setScaled(onBehalf, id, claims + minted, debt);
        emit Supply(asset, msg.sender, onBehalf, amount);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(address asset, uint256 amount, address owner, address to)
        external
        nonReentrant
        onlyFor(owner)
        returns (uint256 withdrawn)
    {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 scaledClaims, uint256 debt) = PositionMath.split(_scaled[owner][id]);
        uint256 claims = PositionMath.claimsDown(scaledClaims, state.supplyIndexRay);
        withdrawn = amount == type(uint256).max ? claims : amount;
        if (withdrawn == 0) revert ZeroAmount();
        if (withdrawn > claims) revert InsufficientClaims(asset, claims, withdrawn);

        uint256 burned = _burnClaims(state, withdrawn);
        _payCash(state, asset, withdrawn);

        _store(id, state);
        _setScaled(owner, id, scaledClaims - burned, debt);
        if (owner != liquidationModule) _requireHealthy(owner);
        emit Withdraw(asset, owner, to, withdrawn);
        IERC20(asset).safeTransfer(to, withdrawn);
    }

    function borrow(address asset, uint256 amount, address owner, address to)
        external
        nonReentrant
        onlyFor(owner)
    {
        if (amount == 0) revert ZeroAmount();
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 claims, uint256 debt) = PositionMath.split(_scaled[owner][id]);

        uint256 minted = _mintDebt(state, amount);
        _payCash(state, asset, amount);
        uint256 cap = _listings[id].config.borrowCap;
        uint256 totalDebt = _totalDebt(state);
        if (totalDebt > cap) revert BorrowCapExceeded(asset, cap, totalDebt);

        _store(id, state);
        _setScaled(owner, id, claims, debt + minted);
        _requireWithinBorrowLimit(owner);
        emit Borrow(asset, owner, to, amount);
        IERC20(asset).safeTransfer(to, amount);
    }

    function repay(address asset, uint256 amount, address onBehalf)
        external
        nonReentrant
        returns (uint256 repaid)
    {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 claims, uint256 scaledDebt) = PositionMath.split(_scaled[onBehalf][id]);
        repaid = amount.min(PositionMath.debtUp(scaledDebt, state.borrowIndexRay));
        if (repaid == 0) revert ZeroAmount();

        uint256 burned = _burnDebt(state, repaid);
        state.cash += repaid;

        _store(id, state);
        _setScaled(onBehalf, id, claims, scaledDebt - burned);
        emit Repay(asset, msg.sender, onBehalf, repaid);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), repaid);
    }

    // ---- Liquidation

    function liquidate(
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        bool receiveClaims,
        address to
    ) external nonReentrant returns (uint256 repaid, uint256 seized) {
        if (account == msg.sender) revert SelfLiquidation(account);
        Account memory borrower = _account(account, new uint256[](0));
        Plan memory plan = _plan(borrower, _idOf(collateralAsset), _idOf(debtAsset), repayAssets);
        (repaid, seized) = (plan.repaid, plan.seized);
        _emitLiquidate(borrower, plan, collateralAsset, debtAsset);

        // Where both assets are one, both names point at the same books.
        AssetState memory debtState = borrower.states[plan.debtId];
        AssetState memory collateralState = borrower.states[plan.collateralId];
        debtState.cash += repaid;
        borrower.scaled[plan.debtId] -= _burnDebt(debtState, repaid);
        borrower.scaled[plan.collateralId] -= _burnClaims(collateralState, seized + plan.protocolFee) << 128;
        collateralState.reserves += plan.protocolFee;
        uint256 claimsPaid;
        if (receiveClaims) claimsPaid = _mintClaims(collateralState, seized);
        else _payCash(collateralState, collateralAsset, seized);
        if (_isCollateralExhausted(borrower.scaled)) _writeOff(borrower);
        _storeAccount(borrower);

        if (receiveClaims) {
            (uint256 claims, uint256 debt) = PositionMath.split(_scaled[to][plan.collateralId]);
            _setScaled(to, plan.collateralId, claims + claimsPaid, debt);
            emit ClaimsSeized(collateralAsset, account, to, seized);
        }
        IERC20(debtAsset).safeTransferFrom(msg.sender, address(this), repaid);
        if (!receiveClaims) IERC20(collateralAsset).safeTransfer(to, seized);
    }

    function quoteLiquidation(address account, address collateralAsset, address debtAsset, uint256 repayAssets)
        external
        view
        returns (
            uint256 repaid,
            uint256 seized,
            uint256 protocolFee,
            uint256 repaidUsdWad,
            uint256 seizedUsdWad,
            uint256 healthFactorWad
        )
    {
        Account memory borrower = _account(account, new uint256[](0));
        Plan memory plan = _plan(borrower, _idOf(collateralAsset), _idOf(debtAsset), repayAssets);
        return (
            plan.repaid, plan.seized, plan.protocolFee, plan.repaidUsd, plan.seizedUsd, borrower.healthFactorWad
        );
    }

    // ---- The liquidation module. What changes hands is scaled and leaves every total as it is.

    function confiscate(address account, uint256[] calldata taken) external nonReentrant onlyModule {
        if (account == msg.sender) revert SelfLiquidation(account);
        _requireLiquidationsOpen();
        Account memory borrower = _account(account, new uint256[](0));
        if (!_isLiquidatable(borrower.healthFactorWad)) revert Healthy(account, borrower.healthFactorWad);
        (uint256[] memory positionBefore, uint256[] memory prices) = _valuation(borrower);
        emit Confiscate(account, msg.sender, taken, borrower.healthFactorWad, positionBefore, prices);

        _move(account, msg.sender, taken);
        borrower.scaled = scaledPosition(account);
        if (_isCollateralExhausted(borrower.scaled)) {
            _writeOff(borrower);
            _storeAccount(borrower);
        }
    }

    function assign(address to, uint256[] calldata given) external nonReentrant onlyModule {
        _move(msg.sender, to, given);
        emit Assign(to, msg.sender, given);
    }

    function draw(address asset, uint256 amount, address to)
        external
        nonReentrant
        onlyModule
        returns (uint256 scaledDebt)
    {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        scaledDebt = _mintDebt(state, amount);
        uint256 minted = _mintClaims(state, amount);
        _store(id, state);
        (uint256 claims, uint256 debt) = PositionMath.split(_scaled[msg.sender][id]);
        _setScaled(msg.sender, id, claims, debt + scaledDebt);
        (claims, debt) = PositionMath.split(_scaled[to][id]);
        _setScaled(to, id, claims + minted, debt);
        emit Draw(asset, msg.sender, to, amount);
    }

    function writeOff(address account, address asset, uint256 scaledDebt) external nonReentrant onlyModule {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        (uint256 claims, uint256 debt) = PositionMath.split(_scaled[msg.sender][id]);
        uint256 amount = _debtToDeficit(state, scaledDebt);
        _store(id, state);
        _setScaled(msg.sender, id, claims, debt - scaledDebt);
        emit BadDebt(account, asset, amount, amount.mulDivUp(_priceWad(id), _listings[id].unit));
    }

    // ---- Flash loans

    function flashLoan(IFlashBorrower borrower, address asset, uint256 amount, bytes calldata data)
        external
        nonReentrant
    {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        _payCash(state, asset, amount);
        _store(id, state);
        uint256 fee = _flashLoanFeeUp(amount);
        emit FlashLoan(asset, address(borrower), msg.sender, amount, fee);
        IERC20(asset).safeTransfer(address(borrower), amount);

        // The borrower may use the market meanwhile; the books count the loan as gone.
        _entered = false;
        borrower.onFlashLoan(msg.sender, asset, amount, fee, data);
        _enter();

        state = _accrued(id);
        state.cash += amount + fee;
        state.reserves += fee;
        _store(id, state);
        IERC20(asset).safeTransferFrom(address(borrower), address(this), amount + fee);
    }

    // ---- Deficit and reserves

    function fundReserves(address asset, uint256 amount) external nonReentrant {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        state.cash += amount;
        state.reserves += amount;
        _store(id, state);
        emit ReservesFunded(asset, msg.sender, amount);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
    }

    function coverDeficitFromReserves(address asset) external nonReentrant returns (uint256 covered) {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        covered = state.deficit.min(state.reserves);
        if (covered == 0) revert ZeroAmount();
        state.deficit -= covered;
        state.reserves -= covered;
        _store(id, state);
        emit DeficitCovered(asset, address(0), covered);
    }

    function coverDeficit(address asset, uint256 amount) external nonReentrant returns (uint256 covered) {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        covered = amount.min(state.deficit);
        if (covered == 0) revert ZeroAmount();
        state.deficit -= covered;
        state.cash += covered;
        _store(id, state);
        emit DeficitCovered(asset, msg.sender, covered);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), covered);
    }

    // ---- Views

    function assetCount() external view returns (uint256) {
        return _listings.length;
    }

    function assets() external view returns (address[] memory list) {
        list = new address[](_listings.length);
        for (uint256 id; id < list.length; ++id) {
            list[id] = _listings[id].config.asset;
        }
    }

    function assetConfig(address asset) external view returns (AssetConfig memory) {
        return _listings[_idOf(asset)].config;
    }

    function liquidationConfig() external view returns (LiquidationConfig memory) {
        return _liquidationConfig;
    }

    function assetState(address asset)
        external
        view
        returns (AssetState memory state, uint256 totalClaims, uint256 totalDebt)
    {
        state = _accrued(_idOf(asset));
        return (state, _totalClaims(state), _totalDebt(state));
    }

    function paused() public view returns (bool) {
        return liquidationsFrom == PAUSED;
    }

    function borrowRateRay(address asset) external view returns (uint256) {
        uint256 id = _idOf(asset);
        AssetState memory state = _accrued(id);
        return _borrowRateRay(id, state.cash, _totalDebt(state));
    }

    function priceWad(address asset) external view returns (uint256) {
        return _priceWad(_idOf(asset));
    }

    function pricesWad() external view returns (uint256[] memory prices) {
        prices = new uint256[](_listings.length);
        for (uint256 id; id < prices.length; ++id) {
            prices[id] = _priceWad(id);
        }
    }

    function assetTerms(uint256[] calldata pricesWad_) external view returns (AssetTerms[] memory terms) {
        terms = new AssetTerms[](_listings.length);
        for (uint256 id; id < terms.length; ++id) {
            terms[id] = _terms(id, _accrued(id), pricesWad_[id]);
        }
    }

    function position(address account) external view returns (uint256[] memory words) {
        words = scaledPosition(account);
        for (uint256 id; id < words.length; ++id) {
            if (words[id] == 0) continue;
            (uint256 claims, uint256 debt) = PositionMath.toAssets(words[id], _terms(id, _accrued(id), 0));
            words[id] = PositionMath.join(claims, debt);
        }
    }

    function scaledPosition(address account) public view returns (uint256[] memory words) {
        words = new uint256[](_listings.length);
        uint256[MAX_ASSETS] storage scaled = _scaled[account];
        for (uint256 id; id < words.length; ++id) {
            words[id] = scaled[id];
        }
    }

    function healthFactor(address account) external view returns (uint256) {
        return _hasDebt(account) ? _account(account, new uint256[](0)).healthFactorWad : PositionMath.NO_DEBT;
    }

    function healthFactorAt(address account, uint256[] calldata pricesWad_) external view returns (uint256) {
        return _account(account, pricesWad_).healthFactorWad;
    }

    // ---- Rules

    /// @dev Exactly 1 is healthy.
    function _isLiquidatable(uint256 healthFactorWad) internal view virtual returns (bool) {
        return healthFactorWad < Math.WAD;
    }

    function _requireLiquidationsOpen() internal view virtual {
        if (block.timestamp < liquidationsFrom) revert LiquidationsClosed(liquidationsFrom);
    }

    function _requireHealthy(address account) internal view virtual {
        if (!_hasDebt(account)) return;
        uint256 healthFactorWad = _account(account, new uint256[](0)).healthFactorWad;
        if (healthFactorWad < Math.WAD) revert Unhealthy(account, healthFactorWad);
    }

    function _requireWithinBorrowLimit(address account) internal view virtual {
        Account memory borrower = _account(account, new uint256[](0));
        uint256 limitUsd = borrower.borrowLimitUsd.subFloor(_overSoftCapsUsdUp(borrower));
        if (borrower.debtUsd > limitUsd) revert BorrowLimitExceeded(account, borrower.debtUsd, limitUsd);
    }

    /// @dev Borrowing power that soft caps take away: of an asset whose total claims are above its cap, the
    /// share of every claim that is.
    function _overSoftCapsUsdUp(Account memory borrower) internal view virtual returns (uint256 usd) {
        for (uint256 id; id < borrower.scaled.length; ++id) {
            if (borrower.scaled[id] >> 128 == 0) continue;
            uint256 cap = softSupplyCap[_listings[id].config.asset];
            uint256 total = _totalClaims(borrower.states[id]);
            if (cap == 0 || total <= cap) continue;
            (uint256 claimsUsd,) = PositionMath.toUsd(borrower.scaled[id], borrower.terms[id]);
            usd += (claimsUsd * borrower.terms[id].ltvBps).mulDivUp(total - cap, total * BPS);
        }
    }

    function _flashLoanFeeUp(uint256 amount) internal view virtual returns (uint256) {
        return amount.mulDivUp(flashLoanFeePips, PIPS);
    }

    /// @dev Largest repayment of the chosen debt in one liquidation, rounded down.
    function _maxRepayDown(Account memory borrower, Plan memory plan) internal view virtual returns (uint256) {
        LiquidationConfig memory config = _liquidationConfig;
        AssetTerms memory debtTerms = borrower.terms[plan.debtId];
        uint256 debtUsd = plan.debt.mulDivUp(debtTerms.priceWad, debtTerms.unit);
        if (
            (config.fullCloseHealthFactorWad != 0 && borrower.healthFactorWad <= config.fullCloseHealthFactorWad)
                || debtUsd < config.fullCloseBelowUsdWad
                || _usdDown(plan.claims, borrower.terms[plan.collateralId]) < config.fullCloseBelowUsdWad
        ) return plan.debt;

        uint256 closableUsd = borrower.debtUsd.mulDivDown(config.closeFactorBps, BPS);
        return debtUsd <= closableUsd ? plan.debt : closableUsd.mulDivDown(debtTerms.unit, debtTerms.priceWad);
    }

    /// @dev What `liquidate` does to this account now, or why it does not.
    function _plan(Account memory borrower, uint256 collateralId, uint256 debtId, uint256 repayAssets)
        internal
        view
        virtual
        returns (Plan memory plan)
    {
        if (liquidationModule != address(0)) revert OnlyByModule(liquidationModule);
        _requireLiquidationsOpen();
        if (!_isLiquidatable(borrower.healthFactorWad)) revert Healthy(borrower.owner, borrower.healthFactorWad);
        (plan.collateralId, plan.debtId) = (collateralId, debtId);
        AssetTerms memory collateral = borrower.terms[collateralId];
        AssetTerms memory debt = borrower.terms[debtId];
        (plan.claims,) = PositionMath.toAssets(borrower.scaled[collateralId], collateral);
        (, plan.debt) = PositionMath.toAssets(borrower.scaled[debtId], debt);
        if (plan.claims == 0) revert NothingToSeize(borrower.owner, _listings[collateralId].config.asset);
        if (plan.debt == 0) revert NothingToRepay(borrower.owner, _listings[debtId].config.asset);

        plan.repaid = repayAssets.min(_maxRepayDown(borrower, plan));
        uint256 factorBps = BPS + collateral.liquidationBonusBps;
        uint256 taken = _usdDown(plan.repaid, debt).mulDivDown(factorBps, BPS).mulDivDown(
            collateral.unit, collateral.priceWad
        );
        if (taken > plan.claims) {
            taken = plan.claims;
            uint256 coveredUsd =
                taken.mulDivUp(collateral.priceWad, collateral.unit).mulDivUp(BPS, factorBps);
            // Rounded up three times: it may pass what was asked for by a few units.
            plan.repaid = plan.repaid.min(coveredUsd.mulDivUp(debt.unit, debt.priceWad));
        }
        if (plan.repaid == 0) revert ZeroAmount();

        uint256 bonus = taken - taken.mulDivDown(BPS, factorBps);
        plan.protocolFee = bonus.mulDivUp(_listings[collateralId].config.protocolShareBps, BPS);
        plan.seized = taken - plan.protocolFee;
        plan.repaidUsd = _usdDown(plan.repaid, debt);
        plan.seizedUsd = _usdDown(plan.seized, collateral);

        if (plan.repaid < plan.debt && taken < plan.claims) {
            uint256 debtLeftUsd = (plan.debt - plan.repaid).mulDivUp(debt.priceWad, debt.unit);
            uint256 claimsLeftUsd = _usdDown(plan.claims - taken, collateral);
            uint256 leastUsd = _liquidationConfig.minLeftoverUsdWad;
            if (debtLeftUsd < leastUsd || claimsLeftUsd < leastUsd) {
                revert MustNotLeaveDust(borrower.owner, debtLeftUsd, claimsLeftUsd);
            }
        }
    }

    /// @dev Any claim left, in whatever asset, can still be seized.
    function _isCollateralExhausted(uint256[] memory scaled) internal view virtual returns (bool) {
        for (uint256 id; id < scaled.length; ++id) {
            if (scaled[id] >> 128 != 0) return false;
        }
        return true;
    }

    /// @dev Moves the account's debts into the deficits, in memory.
    function _writeOff(Account memory borrower) internal virtual {
        for (uint256 id; id < borrower.scaled.length; ++id) {
            uint256 scaledDebt = borrower.scaled[id];
            if (scaledDebt == 0) continue;
            AssetState memory state = borrower.states[id];
            AssetTerms memory terms = borrower.terms[id];
            uint256 amount = _debtToDeficit(state, scaledDebt);
            borrower.scaled[id] = 0;
            emit BadDebt(
                borrower.owner,
                _listings[id].config.asset,
                amount,
                amount.mulDivUp(terms.priceWad, terms.unit)
            );
        }
    }

    // ---- Books, in memory. Each books what rounding leaves to the reserves and returns scaled units.

    /// @dev Claims for `amount` that came in: scaled rounded down.
    function _mintClaims(AssetState memory state, uint256 amount) internal view virtual returns (uint256 scaled) {
        scaled = amount.mulDivDown(Math.RAY, state.supplyIndexRay);
        uint256 totalBefore = _totalClaims(state);
        state.totalScaledSupply += scaled;
        state.reserves += amount - (_totalClaims(state) - totalBefore);
    }

    /// @dev Claims for `amount` that goes out: scaled rounded up.
    function _burnClaims(AssetState memory state, uint256 amount) internal view virtual returns (uint256 scaled) {
        scaled = amount.mulDivUp(Math.RAY, state.supplyIndexRay);
        uint256 totalBefore = _totalClaims(state);
        state.totalScaledSupply -= scaled;
        state.reserves += (totalBefore - _totalClaims(state)) - amount;
    }

    /// @dev Debt for `amount` lent out: scaled rounded up.
    function _mintDebt(AssetState memory state, uint256 amount) internal view virtual returns (uint256 scaled) {
        scaled = amount.mulDivUp(Math.RAY, state.borrowIndexRay);
        uint256 totalBefore = _totalDebt(state);
        state.totalScaledDebt += scaled;
        state.reserves += (_totalDebt(state) - totalBefore) - amount;
    }

    /// @dev Debt for `amount` paid back: scaled rounded down.
    function _burnDebt(AssetState memory state, uint256 amount) internal view virtual returns (uint256 scaled) {
        scaled = amount.mulDivDown(Math.RAY, state.borrowIndexRay);
        uint256 totalBefore = _totalDebt(state);
        state.totalScaledDebt -= scaled;
        state.reserves += amount - (totalBefore - _totalDebt(state));
    }

    /// @dev Returns assets.
    function _debtToDeficit(AssetState memory state, uint256 scaled) internal view virtual returns (uint256 amount) {
        uint256 totalBefore = _totalDebt(state);
        state.totalScaledDebt -= scaled;
        amount = totalBefore - _totalDebt(state);
        state.deficit += amount;
    }

    function _payCash(AssetState memory state, address asset, uint256 amount) internal view virtual {
        if (amount > state.cash) revert InsufficientCash(asset, state.cash, amount);
        state.cash -= amount;
    }

    function _totalClaims(AssetState memory state) internal pure returns (uint256) {
        return PositionMath.claimsDown(state.totalScaledSupply, state.supplyIndexRay);
    }

    function _totalDebt(AssetState memory state) internal pure returns (uint256) {
        return PositionMath.debtUp(state.totalScaledDebt, state.borrowIndexRay);
    }

    /// @dev The asset's books with interest charged up to now. Suppliers and reserves both funded the debt:
    /// after the reserve factor, interest is shared in proportion to claims and reserves, as Aave does by
    /// counting the deficit in the supply usage ratio.
    function _accrued(uint256 id) internal view virtual returns (AssetState memory state) {
        Books storage books = _books[id];
        state = AssetState({
            cash: books.cash,
            reserves: books.reserves,
            deficit: books.deficit,
            totalScaledSupply: books.totalScaledSupply,
            totalScaledDebt: books.totalScaledDebt,
            supplyIndexRay: books.supplyIndexRay,
            borrowIndexRay: books.borrowIndexRay,
            updatedAt: block.timestamp
        });
        uint256 elapsed = block.timestamp - books.updatedAt;
        if (elapsed == 0 || state.totalScaledDebt == 0) return state;

        uint256 debtBefore = _totalDebt(state);
        uint256 growthRay =
            InterestRateModel.growthRay(_borrowRateRay(id, state.cash, debtBefore), elapsed);
        state.borrowIndexRay += state.borrowIndexRay.mulDivUp(growthRay, Math.RAY);
        uint256 interest = _totalDebt(state) - debtBefore;

        uint256 claimsBefore = _totalClaims(state);
        if (claimsBefore != 0) {
            uint256 shared = interest - interest.mulDivUp(_listings[id].config.reserveFactorBps, BPS);
            uint256 toSuppliers = shared.mulDivDown(claimsBefore, claimsBefore + state.reserves);
            state.supplyIndexRay += toSuppliers.mulDivDown(Math.RAY, state.totalScaledSupply);
        }
        state.reserves += interest - (_totalClaims(state) - claimsBefore);
    }

    function _borrowRateRay(uint256 id, uint256 cash, uint256 totalDebt) internal view virtual returns (uint256) {
        AssetConfig storage config = _listings[id].config;
        return InterestRateModel.borrowRateRay(
            InterestRateModel.utilisationRay(cash, totalDebt),
            config.baseRateRay,
            config.slope1Ray,
            config.slope2Ray,
            config.kinkRay
        );
    }

    // ---- Accounts

    /// @dev Everything the account holds, at `prices`, or at the feeds' if that is empty.
    function _account(address account, uint256[] memory prices)
        internal
        view
        virtual
        returns (Account memory a)
    {
        a.owner = account;
        a.scaled = scaledPosition(account);
        uint256 count = a.scaled.length;
        a.states = new AssetState[](count);
        a.terms = new AssetTerms[](count);
        uint256 limitUsdBps;
        uint256 thresholdUsdBps;
        for (uint256 id; id < count; ++id) {
            uint256 word = a.scaled[id];
            if (word == 0) continue;
            AssetState memory state = _accrued(id);
            AssetTerms memory terms = _terms(id, state, prices.length == 0 ? _priceWad(id) : prices[id]);
            (a.states[id], a.terms[id]) = (state, terms);
            (uint256 claimsUsd, uint256 debtUsd) = PositionMath.toUsd(word, terms);
            limitUsdBps += claimsUsd * terms.ltvBps;
            thresholdUsdBps += claimsUsd * terms.liquidationThresholdBps;
            a.debtUsd += debtUsd;
        }
        a.borrowLimitUsd = limitUsdBps / BPS;
        a.healthFactorWad = PositionMath.healthFactorDown(thresholdUsdBps, a.debtUsd);
    }

    function _hasDebt(address account) internal view returns (bool) {
        uint256 count = _listings.length;
        uint256[MAX_ASSETS] storage scaled = _scaled[account];
        for (uint256 id; id < count; ++id) {
            if (uint128(scaled[id]) != 0) return true;
        }
        return false;
    }

    function _terms(uint256 id, AssetState memory state, uint256 price)
        internal
        view
        returns (AssetTerms memory)
    {
        Listing storage listing = _listings[id];
        return AssetTerms({
            supplyIndexRay: state.supplyIndexRay,
            borrowIndexRay: state.borrowIndexRay,
            priceWad: price,
            unit: listing.unit,
            ltvBps: listing.config.ltvBps,
            liquidationThresholdBps: listing.config.liquidationThresholdBps,
            liquidationBonusBps: listing.config.liquidationBonusBps
        });
    }

    function _priceWad(uint256 id) internal view virtual returns (uint256) {
        Listing storage listing = _listings[id];
        AssetConfig storage config = listing.config;
        return FeedReader.read(IPriceFeed(config.feed), config.maxAge, config.minAnswer, config.maxAnswer)
            * listing.priceScale;
    }

    function _usdDown(uint256 amount, AssetTerms memory terms) internal pure returns (uint256) {
        return amount.mulDivDown(terms.priceWad, terms.unit);
    }

    function _idOf(address asset) internal view returns (uint256) {
        uint256 idPlusOne = _idPlusOne[asset];
        if (idPlusOne == 0) revert NotListed(asset);
        return idPlusOne - 1;
    }

    // ---- Writes

    /// @dev A position never exceeds its asset's total, which `_store` has checked against 128 bits.
    function _setScaled(address account, uint256 id, uint256 claims, uint256 debt) internal virtual {
        _scaled[account][id] = PositionMath.join(claims, debt);
    }

    /// @dev Scaled claims << 128 | scaled debt by asset id, as many as there are assets or fewer.
    function _move(address from, address to, uint256[] calldata words) internal virtual {
        for (uint256 id; id < words.length; ++id) {
            if (words[id] == 0) continue;
            (uint256 movedClaims, uint256 movedDebt) = PositionMath.split(words[id]);
            (uint256 claims, uint256 debt) = PositionMath.split(_scaled[from][id]);
            _setScaled(from, id, claims - movedClaims, debt - movedDebt);
            (claims, debt) = PositionMath.split(_scaled[to][id]);
            _setScaled(to, id, claims + movedClaims, debt + movedDebt);
        }
    }

    function _store(uint256 id, AssetState memory state) internal virtual {
        _books[id] = Books({
            cash: _uint128(state.cash),
            reserves: _uint128(state.reserves),
            deficit: _uint128(state.deficit),
            totalScaledSupply: _uint128(state.totalScaledSupply),
            totalScaledDebt: _uint128(state.totalScaledDebt),
            supplyIndexRay: _uint128(state.supplyIndexRay),
            borrowIndexRay: _uint128(state.borrowIndexRay),
            updatedAt: _uint128(state.updatedAt)
        });
    }

    /// @dev Writes back the account and the books of everything it held.
    function _storeAccount(Account memory a) private {
        for (uint256 id; id < a.scaled.length; ++id) {
            if (a.states[id].updatedAt == 0) continue;
            _store(id, a.states[id]);
            (uint256 claims, uint256 debt) = PositionMath.split(a.scaled[id]);
            _setScaled(a.owner, id, claims, debt);
        }
    }

    function _uint128(uint256 amount) private pure returns (uint128) {
        if (amount > type(uint128).max) revert AmountTooLarge(amount);
        return uint128(amount);
    }

    function _configure(uint256 id, AssetConfig calldata config) private {
        if (config.liquidationThresholdBps > BPS) revert InvalidConfig(config.asset, "liquidationThresholdBps");
        if (config.ltvBps > config.liquidationThresholdBps) revert InvalidConfig(config.asset, "ltvBps");
        if (config.protocolShareBps > BPS) revert InvalidConfig(config.asset, "protocolShareBps");
        if (config.reserveFactorBps > BPS) revert InvalidConfig(config.asset, "reserveFactorBps");
        if (config.kinkRay == 0 || config.kinkRay >= Math.RAY) revert InvalidConfig(config.asset, "kinkRay");
        if (config.maxAnswer <= config.minAnswer) revert InvalidConfig(config.asset, "maxAnswer");
        uint256 decimals = IERC20(config.asset).decimals();
        if (decimals > 18) revert InvalidConfig(config.asset, "asset");
        uint256 feedDecimals = IPriceFeed(config.feed).decimals();
        if (feedDecimals > 18) revert InvalidConfig(config.asset, "feed");
        _listings[id] = Listing({
            config: config,
            unit: uint64(10 ** decimals),
            priceScale: uint64(10 ** (18 - feedDecimals))
        });
        emit AssetConfigured(config.asset, config);
    }

    function _setLiquidationConfig(LiquidationConfig memory config) private {
        if (config.closeFactorBps == 0 || config.closeFactorBps > BPS) {
            revert InvalidConfig(address(0), "closeFactorBps");
        }
        _liquidationConfig = config;
        emit LiquidationConfigured(config);
    }

    function _requireAdmin() private view {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
    }

    function _enter() private {
        if (_entered) revert Reentrancy();
        if (paused()) revert MarketPaused();
        _entered = true;
    }

    /// @dev The position in assets and the prices it was valued at, as the events give them.
    function _valuation(Account memory a)
        private
        pure
        returns (uint256[] memory position_, uint256[] memory prices)
    {
        uint256 count = a.scaled.length;
        position_ = new uint256[](count);
        prices = new uint256[](count);
        for (uint256 id; id < count; ++id) {
            (uint256 claims, uint256 debt) = PositionMath.toAssets(a.scaled[id], a.terms[id]);
            position_[id] = PositionMath.join(claims, debt);
            prices[id] = a.terms[id].priceWad;
        }
    }

    /// @dev Twelve arguments are too many for the stack of an `emit`: the fields go through a struct,
    /// whose encoding is a word (0x20) followed by the encoding of its fields as separate arguments.
    function _emitLiquidate(
        Account memory borrower,
        Plan memory plan,
        address collateralAsset,
        address debtAsset
    ) private {
        LiquidateData memory fields;
        fields.collateralAsset = collateralAsset;
        fields.debtAsset = debtAsset;
        fields.repaid = plan.repaid;
        fields.seized = plan.seized;
        fields.protocolFee = plan.protocolFee;
        fields.repaidUsdWad = plan.repaidUsd;
        fields.seizedUsdWad = plan.seizedUsd;
        fields.healthFactorBefore = borrower.healthFactorWad;
        (fields.positionBefore, fields.prices) = _valuation(borrower);
        bytes memory data = abi.encode(fields);
        bytes32 topic = Liquidate.selector;
        address account = borrower.owner;
        assembly ("memory-safe") {
            log3(add(data, 0x40), sub(mload(data), 0x20), topic, account, caller())
        }
    }
}
