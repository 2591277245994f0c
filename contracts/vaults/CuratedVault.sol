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
        /// @dev What it was worth after the last touch.
        uint256 worth;
        uint256 lost;
    }

    address public immutable asset;
    address public immutable curator;
    uint256 public idle;

    Strategy[] private _strategies;

    bool private transient _entered;

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
            _strategies.push(Strategy(vault, 0, 0));
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
        idle -= assets;
        _strategies[id].vault.deposit(assets, address(this));
        _revalue(id);
        emit Allocated(id, assets);
    }

    function deallocate(uint256 id, uint256 assets) external nonReentrant onlyCurator {
        _touch();
        idle += assets;
        _strategies[id].vault.withdraw(assets, address(this), address(this));
        _revalue(id);
        emit Deallocated(id, assets);
    }

    function touch() external nonReentrant {
        _touch();
    }

    function cover(uint256 id, uint256 assets) external nonReentrant returns (uint256 covered) {
        _touch();
        covered = assets.min(_strategies[id].lost);
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

    function totalAssets() public view returns (uint256 assets) {
        assets = idle;
        for (uint256 id = 0; id < _strategies.length; ++id) assets += _assetsDown(id);
    }

    function liquidity() public view returns (uint256 assets) {
        assets = idle;
        for (uint256 id = 0; id < _strategies.length; ++id) {
            assets += _strategies[id].vault.maxWithdraw(address(this));
        }
    }

    function convertToShares(uint256 assets) external view returns (uint256) {
        return previewDeposit(assets);
    }

    function convertToAssets(uint256 shares) external view returns (uint256) {
        return previewRedeem(shares);
    }

    function maxDeposit(address) external pure returns (uint256) {
        return type(uint256).max;
    }

    function maxMint(address) external pure returns (uint256) {
        return type(uint256).max;
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
        return totalSupply == 0 ? assets : assets.mulDivDown(totalSupply, totalAssets());
    }

    function previewMint(uint256 shares) public view returns (uint256) {
        return totalSupply == 0 ? shares : shares.mulDivUp(totalAssets(), totalSupply);
    }

    function previewWithdraw(uint256 assets) public view returns (uint256) {
        return totalSupply == 0 ? 0 : assets.mulDivUp(totalSupply, totalAssets());
    }

    function previewRedeem(uint256 shares) public view virtual returns (uint256) {
        return totalSupply == 0 ? 0 : shares.mulDivDown(totalAssets(), totalSupply);
    }

    // ---- Both ways

    function _enter(uint256 assets, uint256 shares, address receiver) private {
        if (shares == 0) revert ZeroShares();
        idle += assets;
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), assets);
    }

    function _leave(uint256 assets, uint256 shares, address receiver, address owner) private {
        if (shares == 0) revert ZeroShares();
        if (msg.sender != owner) _spendAllowance(owner, shares);
        _burn(owner, shares);
        uint256 fromIdle = assets.min(idle);
        idle -= fromIdle;
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        if (fromIdle != 0) IERC20(asset).safeTransfer(receiver, fromIdle);
        uint256 due = assets - fromIdle;
        for (uint256 id = 0; due != 0 && id < _strategies.length; ++id) {
            uint256 part = due.min(_strategies[id].vault.maxWithdraw(address(this)));
            if (part == 0) continue;
            _strategies[id].vault.withdraw(part, receiver, address(this));
            _revalue(id);
            due -= part;
        }
        if (due != 0) revert InsufficientLiquidity(assets - due, assets);
    }

    function _spendAllowance(address owner, uint256 shares) private {
        uint256 allowed = allowance[owner][msg.sender];
        if (allowed == type(uint256).max) return;
        if (allowed < shares) revert InsufficientAllowance(owner, msg.sender, allowed, shares);
        allowance[owner][msg.sender] = allowed - shares;
    }

    // ---- Losses

    function _touch() internal virtual {
        for (uint256 id = 0; id < _strategies.length; ++id) {
            uint256 before = _strategies[id].worth;
            uint256 loss = before.subFloor(_assetsDown(id));
            if (loss != 0) {
                _strategies[id].lost += loss;
                emit Lost(id, loss);
            }
            _revalue(id);
        }
    }

    /// @dev After the vault's own move in or out, which is no loss.
    function _revalue(uint256 id) private {
        _strategies[id].worth = _assetsDown(id);
    }

    function _assetsDown(uint256 id) private view returns (uint256) {
        IERC4626 vault = _strategies[id].vault;
        return vault.previewRedeem(vault.balanceOf(address(this)));
    }
}
