// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICuratedVault} from "../interfaces/ICuratedVault.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ERC20} from "../tokens/ERC20.sol";

/// @title CuratedVault
/// @notice See ICuratedVault.
contract CuratedVault is ICuratedVault, ERC20 {
    using Math for uint256;
    using SafeTransfer for IERC20;

    struct Strategy {
        IERC4626 vault;
        /// @dev Shares of it from the vault's own allocations.
        uint256 shares;
        /// @dev What they were worth after the last touch.
        uint256 worth;
        uint256 lost;
        /// @dev Of what is lost, what fell on shares that are still here.
        uint256 coverable;
    }

    address public immutable asset;
    address public immutable curator;
    uint256 public idle;

    Strategy[] internal _strategies;

    bool private transient _entered;

    /// @dev Assets are on their way to or from a strategy: what is worth how much is as of the last touch.
    bool private transient _moving;

    modifier nonReentrant() {
        if (_entered) revert Reentrancy();
        _entered = true;
        _;
        _entered = false;
    }

    modifier onlyCurator() {
        if (msg.sender != curator) revert NotCurator(msg.sender);
        _;
    }

    constructor(
        address asset_,
        address curator_,
        IERC4626[] memory strategies,
        string memory name_,
        string memory symbol_
    ) ERC20(name_, symbol_, IERC20(asset_).decimals()) {
        asset = asset_;
        curator = curator_;
        for (uint256 id = 0; id < strategies.length; ++id) {
            IERC4626 vault = strategies[id];
            if (vault.asset() != asset_) revert WrongAsset(address(vault));
            for (uint256 other = 0; other < id; ++other) {
                if (address(strategies[other]) == address(vault)) revert DuplicateStrategy(address(vault));
            }
            _strategies.push(Strategy(vault, 0, 0, 0, 0));
            IERC20(asset_).safeApprove(address(vault), type(uint256).max);
        }
    }

    // ---- In and out

    function deposit(uint256 assets, address receiver) external nonReentrant returns (uint256 shares) {
        _touch();
        shares = previewDeposit(assets);
        _enter(assets, shares, receiver);
    }

    function mint(uint256 shares, address receiver) external nonReentrant returns (uint256 assets) {
        _touch();
        assets = previewMint(shares);
        _enter(assets, shares, receiver);
    }

    function withdraw(uint256 assets, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 shares)
    {
        _touch();
        shares = previewWithdraw(assets);
        _leave(assets, shares, receiver, owner);
    }

    function redeem(uint256 shares, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 assets)
    {
        _touch();
        assets = previewRedeem(shares);
        _leave(assets, shares, receiver, owner);
    }

    // ---- Markets

    function allocate(uint256 id, uint256 assets) external nonReentrant onlyCurator {
        _touch();
        if (assets > idle) revert InsufficientLiquidity(idle, assets);
        emit Allocated(id, assets);
        _put(id, assets);
    }

    function deallocate(uint256 id, uint256 assets) external nonReentrant onlyCurator {
        _touch();
        uint256 cash = _cashDown(id);
        if (assets > cash) revert InsufficientLiquidity(cash, assets);
        emit Deallocated(id, assets);
        _take(id, assets);
    }

    function touch() external nonReentrant {
        _touch();
    }

    function cover(uint256 id, uint256 assets) external nonReentrant returns (uint256 covered) {
        _touch();
        covered = assets.min(_strategies[id].coverable);
        _strategies[id].coverable -= covered;
        _strategies[id].lost -= covered;
        idle += covered;
        emit Covered(id, msg.sender, covered);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), covered);
    }

    // ---- Views

    function strategyCount() external view returns (uint256) {
        return _strategies.length;
    }

    function strategy(uint256 id) external view returns (IERC4626 vault, uint256 assets, uint256 lost) {
        Strategy storage s = _strategies[id];
        return (s.vault, _assetsDown(id), s.lost);
    }

    function noted(uint256 id) external view returns (uint256) {
        return _strategies[id].worth;
    }

    function coverable(uint256 id) external view returns (uint256) {
        return _strategies[id].coverable;
    }

    function totalAssets() public view returns (uint256 assets) {
        assets = idle;
        for (uint256 id = 0; id < _strategies.length; ++id) assets += _assetsDown(id);
    }

    function liquidity() public view returns (uint256 assets) {
        assets = idle;
        for (uint256 id = 0; id < _strategies.length; ++id) {
            assets += _cashDown(id);
        }
    }

    function convertToShares(uint256 assets) external view returns (uint256) {
        return previewDeposit(assets);
    }

    function convertToAssets(uint256 shares) external view returns (uint256) {
        return previewRedeem(shares);
    }

    function maxDeposit(address) external view returns (uint256) {
        return _isWipedOut() ? 0 : type(uint256).max;
    }

    function maxMint(address) external view returns (uint256) {
        return _isWipedOut() ? 0 : type(uint256).max;
    }

    function maxWithdraw(address owner) external view returns (uint256) {
        return previewRedeem(balanceOf[owner]).min(liquidity());
    }

    function maxRedeem(address owner) external view returns (uint256) {
        uint256 shares = balanceOf[owner];
        uint256 cash = liquidity();
        return previewRedeem(shares) <= cash ? shares : previewDeposit(cash).min(shares);
    }

    function previewDeposit(uint256 assets) public view returns (uint256) {
        if (totalSupply == 0) return assets;
        uint256 total = totalAssets();
        return total == 0 ? 0 : assets.mulDivDown(totalSupply, total);
    }

    function previewMint(uint256 shares) public view returns (uint256) {
        return totalSupply == 0 ? shares : shares.mulDivUp(totalAssets(), totalSupply);
    }

    function previewWithdraw(uint256 assets) public view returns (uint256) {
        uint256 total = totalAssets();
        return total == 0 ? 0 : assets.mulDivUp(totalSupply, total);
    }

    function previewRedeem(uint256 shares) public view virtual returns (uint256) {
        return totalSupply == 0 ? 0 : shares.mulDivDown(totalAssets(), totalSupply);
    }

    // ---- Both ways

    function _enter(uint256 assets, uint256 shares, address receiver) private {
        // Shares worth nothing would be minted for nothing, and take part in what is covered later.
        if (shares == 0 || assets == 0) revert ZeroShares();
        idle += assets;
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), assets);
    }

    /// @dev Shares are burned when everything is here, and all is paid at once: whoever is called meanwhile reads
    /// the price of a share as it was.
    function _leave(uint256 assets, uint256 shares, address receiver, address owner) private {
        if (shares == 0) revert ZeroShares();
        if (shares > balanceOf[owner]) revert InsufficientBalance(owner, balanceOf[owner], shares);
        if (msg.sender != owner) _spendAllowance(owner, shares);
        _gather(assets);
        _forgo(shares);
        _burn(owner, shares);
        idle -= assets;
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        if (assets != 0) IERC20(asset).safeTransfer(receiver, assets);
    }

    /// @dev Makes so much idle, from the strategies in their order.
    function _gather(uint256 assets) private {
        for (uint256 id = 0; idle < assets && id < _strategies.length; ++id) {
            uint256 part = (assets - idle).min(_cashDown(id));
            if (part != 0) _take(id, part);
        }
        if (idle < assets) revert InsufficientLiquidity(idle, assets);
    }

    function _put(uint256 id, uint256 assets) internal virtual {
        _moving = true;
        uint256 shares = _strategies[id].vault.deposit(assets, address(this));
        _moving = false;
        idle -= assets;
        _strategies[id].shares += shares;
        _revalue(id);
    }

    function _take(uint256 id, uint256 assets) private {
        _moving = true;
        uint256 shares = _strategies[id].vault.withdraw(assets, address(this), address(this));
        _moving = false;
        idle += assets;
        _strategies[id].shares -= shares;
        _revalue(id);
    }

    function _spendAllowance(address owner, uint256 shares) private {
        uint256 allowed = allowance[owner][msg.sender];
        if (allowed == type(uint256).max) return;
        if (allowed < shares) revert InsufficientAllowance(owner, msg.sender, allowed, shares);
        allowance[owner][msg.sender] = allowed - shares;
    }

    // ---- Losses

    function _touch() private {
        for (uint256 id = 0; id < _strategies.length; ++id) {
            uint256 loss = _strategies[id].worth.subFloor(_assetsDown(id));
            if (loss != 0) _note(id, loss);
            _revalue(id);
        }
    }

    function _note(uint256 id, uint256 loss) internal virtual {
        _strategies[id].lost += loss;
        _strategies[id].coverable += loss;
        emit Lost(id, loss);
    }

    /// @dev Shares about to leave take their part of every loss with them: a cover paid to those that stay would
    /// otherwise lift their price above what it was before the loss, without bound as the last ones leave.
    function _forgo(uint256 shares) internal virtual {
        for (uint256 id = 0; id < _strategies.length; ++id) {
            uint256 open = _strategies[id].coverable;
            if (open != 0) _strategies[id].coverable = open - open.mulDivUp(shares, totalSupply);
        }
    }

    /// @dev After the vault's own move in or out, whose rounding is no loss.
    function _revalue(uint256 id) private {
        _strategies[id].worth = _assetsDown(id);
    }

    function _assetsDown(uint256 id) private view returns (uint256) {
        return _moving ? _strategies[id].worth : _strategies[id].vault.previewRedeem(_sharesOf(id));
    }

    /// @dev What the strategy's market could pay of that now.
    function _cashDown(uint256 id) private view returns (uint256) {
        return _assetsDown(id).min(_strategies[id].vault.maxWithdraw(address(this)));
    }

    /// @dev Not its balance: whoever sent shares there would lift the price of the vault's.
    function _sharesOf(uint256 id) internal view virtual returns (uint256) {
        return _strategies[id].shares;
    }

    function _isWipedOut() private view returns (bool) {
        return totalSupply != 0 && totalAssets() == 0;
    }
}
