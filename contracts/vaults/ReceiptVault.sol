// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IReceiptVault} from "../interfaces/IReceiptVault.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ERC20} from "../tokens/ERC20.sol";

/// @title ReceiptVault
/// @notice See IReceiptVault. Shares divide the market's units, not assets, so that what the market rounds is
/// rounded once; how units and assets convert is for the market's own vault to say.
abstract contract ReceiptVault is IReceiptVault, ERC20 {
    using Math for uint256;
    using SafeTransfer for IERC20;

    address public immutable asset;
    address internal immutable _market;
    bool public immutable countsGifts;

    /// @dev Units from the vault's own supplies.
    uint256 private _ownUnits;

    bool private transient _entered;

    modifier nonReentrant() {
        if (_entered) revert Reentrancy();
        _entered = true;
        _;
        _entered = false;
    }

    constructor(address market_, address asset_, bool countsGifts_, string memory name_, string memory symbol_)
        ERC20(name_, symbol_, IERC20(asset_).decimals())
    {
        asset = asset_;
        _market = market_;
        countsGifts = countsGifts_;
        IERC20(asset_).safeApprove(market_, type(uint256).max);
    }

    // ---- In and out

    function deposit(uint256 assets, address receiver) external nonReentrant returns (uint256 shares) {
        return _enter(assets, receiver, 0);
    }

    function mint(uint256 shares, address receiver) external nonReentrant returns (uint256 assets) {
        assets = previewMint(shares);
        _enter(assets, receiver, shares);
    }

    function withdraw(uint256 assets, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 shares)
    {
        shares = previewWithdraw(assets);
        _leave(assets, shares, receiver, owner);
    }

    function redeem(uint256 shares, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 assets)
    {
        assets = previewRedeem(shares);
        _leave(assets, shares, receiver, owner);
    }

    // ---- Views

    function heldUnits() public view virtual returns (uint256) {
        return countsGifts ? marketUnits() : _ownUnits;
    }

    function totalAssets() external view returns (uint256) {
        return _assetsDown(heldUnits());
    }

    function convertToShares(uint256 assets) external view returns (uint256) {
        return previewDeposit(assets);
    }

    function convertToAssets(uint256 shares) external view returns (uint256) {
        return previewRedeem(shares);
    }

    function maxDeposit(address) public view returns (uint256) {
        return _room();
    }

    function maxMint(address receiver) external view returns (uint256) {
        uint256 room = maxDeposit(receiver);
        return room == type(uint256).max ? room : previewDeposit(room);
    }

    function maxWithdraw(address owner) external view returns (uint256) {
        return previewRedeem(balanceOf[owner]).min(_cash());
    }

    function maxRedeem(address owner) external view returns (uint256) {
        uint256 shares = balanceOf[owner];
        uint256 cash = _cash();
        return previewRedeem(shares) <= cash ? shares : _sharesDown(_unitsDown(cash)).min(shares);
    }

    function previewDeposit(uint256 assets) public view returns (uint256) {
        return totalSupply == 0 ? assets : _sharesDown(_unitsDown(assets));
    }

    function previewMint(uint256 shares) public view returns (uint256) {
        uint256 supply = totalSupply;
        return supply == 0 ? shares : _assetsUp(shares.mulDivUp(heldUnits(), supply));
    }

    function previewWithdraw(uint256 assets) public view returns (uint256) {
        uint256 held = heldUnits();
        return held == 0 ? 0 : _unitsUp(assets).mulDivUp(totalSupply, held);
    }

    function previewRedeem(uint256 shares) public view returns (uint256) {
        uint256 supply = totalSupply;
        return supply == 0 ? 0 : _assetsDown(shares.mulDivDown(heldUnits(), supply));
    }

    function marketUnits() public view virtual returns (uint256);

    // ---- The market

    /// @dev Units for assets and assets for units, at this block's price.
    function _unitsDown(uint256 assets) internal view virtual returns (uint256);

    function _unitsUp(uint256 assets) internal view virtual returns (uint256);

    function _assetsDown(uint256 units) internal view virtual returns (uint256);

    function _assetsUp(uint256 units) internal view virtual returns (uint256);

    /// @dev What the market lets in, and lets out, in assets.
    function _room() internal view virtual returns (uint256);

    function _cash() internal view virtual returns (uint256);

    function _supplyToMarket(uint256 assets) internal virtual;

    function _withdrawFromMarket(uint256 assets, address to) internal virtual;

    // ---- Both ways

    /// @dev `shares` are those asked for, or 0 for as many as the units that come in are worth.
    function _enter(uint256 assets, address receiver, uint256 shares) private returns (uint256) {
        uint256 heldBefore = heldUnits();
        IERC20(asset).safeTransferFrom(msg.sender, address(this), assets);
        uint256 unitsBefore = marketUnits();
        _supplyToMarket(assets);
        uint256 units = marketUnits() - unitsBefore;
        if (shares == 0) {
            shares = totalSupply == 0 ? assets : _minted(units, heldBefore);
            if (shares == 0) revert ZeroShares();
        }
        _ownUnits += units;
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
        return shares;
    }

    function _leave(uint256 assets, uint256 shares, address receiver, address owner) private {
        if (shares == 0) revert ZeroShares();
        if (msg.sender != owner) _spendAllowance(owner, shares);
        // The receiver is paid last: a token that calls it back would else let it read, and borrow on, a price of
        // shares that are burned while their units are still there.
        uint256 unitsBefore = marketUnits();
        _withdrawFromMarket(assets, address(this));
        // Where gifts count, more may go out than the vault itself put in.
        _ownUnits = _ownUnits.subFloor(unitsBefore - marketUnits());
        _burn(owner, shares);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        IERC20(asset).safeTransfer(receiver, assets);
    }

    /// @dev Shares for units that come in on top of those held.
    function _minted(uint256 units, uint256 held) internal view virtual returns (uint256) {
        return units.mulDivDown(totalSupply, held);
    }

    /// @dev Shares that units are worth; there are some.
    function _sharesDown(uint256 units) private view returns (uint256) {
        return _minted(units, heldUnits());
    }

    function _spendAllowance(address owner, uint256 shares) private {
        uint256 allowed = allowance[owner][msg.sender];
        if (allowed == type(uint256).max) return;
        if (allowed < shares) revert InsufficientAllowance(owner, msg.sender, allowed, shares);
        allowance[owner][msg.sender] = allowed - shares;
    }
}
