// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface IERC20 {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IFeed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// @title PawnShop
/// @notice Lends one coin against one kind of pledge, at 10% a year, a tenth of it for the shop. Suppliers' claims
/// and borrowers' debts are shares, worth an index each. One line of this contract is missing; see PawnShopFixed.
contract PawnShop {
    uint256 constant RAY = 1e27;
    uint256 constant RATE_PER_SECOND = RAY / 10 / 365 days;
    uint256 public constant THRESHOLD_BPS = 8_000;
    uint256 constant BONUS_BPS = 1_000;

    IERC20 immutable coin;
    IERC20 immutable pledge;
    IFeed immutable coinFeed;
    IFeed immutable pledgeFeed;
    uint256 immutable coinUnit;
    uint256 immutable pledgeUnit;

    uint256 public cash;
    uint256 public deficit;
    uint256 public totalPledged;
    uint256 public totalShares;
    uint256 public totalDebtShares;
    uint256 storedSupplyIndex = RAY;
    uint256 storedBorrowIndex = RAY;
    uint256 chargedAt;
    mapping(address => uint256) public pledged;
    mapping(address => uint256) public shares;
    mapping(address => uint256) public debtShares;

    error Refused(string why);

    constructor(IERC20 coin_, IERC20 pledge_, IFeed coinFeed_, IFeed pledgeFeed_, uint8 decimals_, uint8 pledgeDecimals) {
        (coin, pledge, coinFeed, pledgeFeed) = (coin_, pledge_, coinFeed_, pledgeFeed_);
        (coinUnit, pledgeUnit) = (10 ** decimals_, 10 ** pledgeDecimals);
        chargedAt = block.timestamp;
    }

    function supply(uint256 amount) external {
        accrue();
        uint256 bought = amount * RAY / storedSupplyIndex;
        shares[msg.sender] += bought;
        totalShares += bought;
        cash += amount;
        coin.transferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external {
        accrue();
        amount = _min(amount, shares[msg.sender] * storedSupplyIndex / RAY);
        uint256 sold = _up(amount * RAY, storedSupplyIndex);
        if (amount > cash) revert Refused("no cash");
        shares[msg.sender] -= sold;
        totalShares -= sold;
        cash -= amount;
        coin.transfer(msg.sender, amount);
    }

    function bring(uint256 amount) external {
        pledged[msg.sender] += amount;
        totalPledged += amount;
        pledge.transferFrom(msg.sender, address(this), amount);
    }

    function takeBack(uint256 amount) external {
        accrue();
        amount = _min(amount, pledged[msg.sender]);
        pledged[msg.sender] -= amount;
        totalPledged -= amount;
        if (!healthy(msg.sender)) revert Refused("unhealthy");
        pledge.transfer(msg.sender, amount);
    }

    function borrow(uint256 amount) external {
        accrue();
        uint256 owed = _up(amount * RAY, storedBorrowIndex);
        debtShares[msg.sender] += owed;
        totalDebtShares += owed;
        if (amount > cash) revert Refused("no cash");
        cash -= amount;
        if (!healthy(msg.sender)) revert Refused("unhealthy");
        coin.transfer(msg.sender, amount);
    }

    function repay(uint256 amount) external {
        accrue();
        _pay(msg.sender, amount);
    }

    /// @notice Pays a debt and takes pledges worth a tenth more. What an empty account still owes becomes deficit.
    function liquidate(address account, uint256 amount) public virtual {
        if (healthy(account)) revert Refused("healthy");
        (uint256 coinPrice, uint256 pledgePrice) = prices();
        uint256 worthOfUnit = pledgePrice * coinUnit * 10_000;
        uint256 costOfUnit = coinPrice * pledgeUnit * (10_000 + BONUS_BPS);
        amount = _pay(account, _min(amount, _up(pledged[account] * worthOfUnit, costOfUnit)));
        uint256 taken = _min(amount * costOfUnit / worthOfUnit, pledged[account]);
        pledged[account] -= taken;
        totalPledged -= taken;
        if (pledged[account] == 0) {
            uint256 before = totalDebt();
            totalDebtShares -= debtShares[account];
            debtShares[account] = 0;
            deficit += before - totalDebt();
        }
        pledge.transfer(msg.sender, taken);
    }

    /// @notice Charges interest up to now.
    function accrue() public {
        (storedSupplyIndex, storedBorrowIndex) = indexes();
        chargedAt = block.timestamp;
    }

    /// @notice Worth of a supplier's and of a borrower's share now, in RAY.
    function indexes() public view returns (uint256 supplyIndex, uint256 borrowIndex) {
        (supplyIndex, borrowIndex) = (storedSupplyIndex, storedBorrowIndex);
        uint256 growth = borrowIndex * RATE_PER_SECOND * (block.timestamp - chargedAt) / RAY;
        borrowIndex += growth;
        if (totalShares != 0) supplyIndex += totalDebtShares * growth / totalShares * 9 / 10;
    }

    function totalDebt() public view returns (uint256) {
        (, uint256 borrowIndex) = indexes();
        return _up(totalDebtShares * borrowIndex, RAY);
    }

    function healthy(address account) public view returns (bool) {
        (uint256 coinPrice, uint256 pledgePrice) = prices();
        uint256 debt = _up(debtShares[account] * storedBorrowIndex, RAY);
        return debt * coinPrice * pledgeUnit * 10_000 <= pledged[account] * pledgePrice * coinUnit * THRESHOLD_BPS;
    }

    function prices() public view returns (uint256 coinPrice, uint256 pledgePrice) {
        (, int256 coinAnswer,,,) = coinFeed.latestRoundData();
        (, int256 pledgeAnswer,,,) = pledgeFeed.latestRoundData();
        return (uint256(coinAnswer), uint256(pledgeAnswer));
    }

    function _pay(address account, uint256 amount) private returns (uint256) {
        uint256 owed = _up(debtShares[account] * storedBorrowIndex, RAY);
        amount = _min(amount, owed);
        uint256 paid = amount == owed ? debtShares[account] : amount * RAY / storedBorrowIndex;
        debtShares[account] -= paid;
        totalDebtShares -= paid;
        cash += amount;
        coin.transferFrom(msg.sender, address(this), amount);
        return amount;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _up(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }
}

/// @notice With the missing line.
contract PawnShopFixed is PawnShop {
    constructor(IERC20 a, IERC20 b, IFeed c, IFeed d, uint8 e, uint8 f) PawnShop(a, b, c, d, e, f) {}

    function liquidate(address account, uint256 amount) public override {
        accrue();
        super.liquidate(account, amount);
    }
}
