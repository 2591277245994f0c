// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPerpTypes} from "./IPerpTypes.sol";

/// @title A perpetual-futures exchange with several markets, traded against one vault
/// @notice Fills follow Synthetix' perps: the price moves with the skew (long minus short open interest), from
/// its value before a trade to that after, and the trader gets the mean. Margin is judged at the mark price:
/// index * (1 + bounded moving average of skew / skewScale).
///
/// Books. In settlement tokens, exactly and after every call:
///
///     sum of accounts' cash + vault cash + fees - deficit == tokens held
///
/// where the insurance fund is one of the accounts. There is no dust: what rounding leaves belongs to the vault.
/// Cash may be below zero while other collateral or profits stand behind it. A position's profit is
/// size * price - cost; it is realised against the vault's cash when the position is reduced, and funding when
/// it is touched. Tokens that charge a fee on transfer or rebase are not supported.
interface IPerpExchange is IPerpTypes {
    // ---- Administration; admin only

    /// @notice Lists a market under the next id. `tiers` by rising `upTo`.
    function listMarket(MarketConfig calldata config, Tier[] calldata tiers) external;

    /// @notice Replaces a market's configuration, after accruing funding under the old one.
    function setMarketConfig(uint256 market, MarketConfig calldata config, Tier[] calldata tiers) external;

    function listCollateral(CollateralConfig calldata config) external;

    function setCollateralConfig(CollateralConfig calldata config) external;

    function setRiskConfig(RiskConfig calldata config) external;

    /// @notice 1 stops trades, 2 withdrawals (of the vault too), 4 liquidations; added up.
    function setPaused(uint8 flags) external;

    /// @notice Once.
    function setVault(address vault) external;

    /// @notice Zero for none.
    function setWaterfall(address waterfall) external;

    function collectFees(address to) external returns (uint256 amount);

    // ---- Accounts

    /// @notice Lets `operator` trade and withdraw for the caller's accounts.
    function setOperator(address operator, bool allowed) external;

    /// @notice Anyone may pay into any account. Where it brings equity back to the call margin, a call ends.
    function deposit(bytes32 account, address token, uint256 amount) external;

    /// @notice Cash cannot go below zero by it, and margin stays as RiskConfig asks.
    function withdraw(bytes32 account, address token, uint256 amount, address to) external;

    /// @notice Between accounts of one owner; a withdrawal from the first.
    function move(bytes32 from, bytes32 to, address token, uint256 amount) external;

    /// @notice Buys (above zero) or sells `sizeDelta`. A trade that makes the position larger, or turns it over,
    /// leaves equity at the initial margin or above; one that reduces it, at the maintenance margin.
    /// @param limitWad The fill price may not be above it when buying, below it when selling.
    /// @return priceWad Of the fill.
    function trade(bytes32 account, uint256 market, int256 sizeDelta, uint256 limitWad)
        external
        returns (uint256 priceWad);

    /// @notice Accrues funding, premium, reference and volatility of a market. Anyone may.
    function accrue(uint256 market) external;

    /// @notice Records a margin call, once an episode. Anyone may.
    function call(bytes32 account) external;

    /// @notice Ends the episode of an account whose equity is at its call margin again by a change of prices;
    /// deposits, trades and liquidations end it themselves. Anyone may.
    function endCall(bytes32 account) external;

    // ---- Liquidation

    /// @notice Liquidates the account's position in a market, as far as its step allows; an account past the
    /// backstop is taken over whole, whatever the market named. Rewards are credited to the caller's account 0.
    function liquidate(bytes32 account, uint256 market) external;

    /// @notice Closes at most `size` of the insurance fund's position in a market, at the fill price. Anyone may,
    /// unless the fund itself is in default.
    function unwind(uint256 market, uint256 size) external;

    /// @notice The caller pays for the deficit. Anyone may.
    function coverDeficit(uint256 amount) external;

    // ---- For the vault

    function vaultDeposit(uint256 amount) external;

    function vaultWithdraw(uint256 amount, address to) external;

    // ---- For the waterfall

    /// @notice Closes `size` of an account in default and of an opposite position, both at `priceWad`: the vault
    /// is left as it was.
    function closePair(bytes32 defaulter, bytes32 other, uint256 market, uint256 size, uint256 priceWad) external;

    /// @notice The vault takes the position of an account in default at the mark price.
    function closeToVault(bytes32 defaulter, uint256 market) external;

    /// @notice Takes this much of the loss of an account in default, at the mark price, over into the deficit: the
    /// account is credited with it, and what is left of its positions is worth that much more to close.
    function realiseLoss(bytes32 defaulter, uint256 amount) external;

    /// @notice Ends a default whose positions are all closed: what cash is missing becomes deficit.
    function writeOff(bytes32 defaulter) external returns (uint256 amount);

    /// @notice A winner pays towards the deficit, at most its unrealised profit.
    function haircut(bytes32 account, uint256 amount) external;

    /// @notice The insurance fund pays towards the deficit, from its cash.
    function chargeInsurance(uint256 amount) external;

    /// @notice The vault's holders pay towards the deficit.
    function chargeVault(uint256 amount) external;

    // ---- Views; everything is at this block's time, funding included

    function admin() external view returns (address);

    function settlement() external view returns (address);

    function settlementFeed() external view returns (address);

    /// @notice A size times a price, divided by this, is in settlement units: 1e36 / 10^decimals.
    function valueScale() external view returns (uint256);

    function router() external view returns (address);

    function vault() external view returns (address);

    function waterfall() external view returns (address);

    function paused() external view returns (uint8);

    function isOperator(address owner, address operator) external view returns (bool);

    /// @notice The insurance fund's account.
    function insuranceAccount() external view returns (bytes32);

    function marketCount() external view returns (uint256);

    function collateralCount() external view returns (uint256);

    function marketConfig(uint256 market) external view returns (MarketConfig memory, Tier[] memory);

    function collateralConfig(uint256 collateral) external view returns (CollateralConfig memory);

    function riskConfig() external view returns (RiskConfig memory);

    /// @notice Reverts with StalePrice or AnswerOutOfBounds, as do all views that need a price.
    function marketState(uint256 market) external view returns (MarketState memory);

    /// @notice The market as if the asset were at `usdWad` and the settlement token at `settlementUsdWad`; what
    /// has accrued by then is accrued at that price.
    function marketStateAt(uint256 market, uint256 usdWad, uint256 settlementUsdWad)
        external
        view
        returns (MarketState memory);

    /// @notice USD per whole unit of a market's asset, Wad.
    function marketUsdWad(uint256 market) external view returns (uint256);

    /// @notice USD per whole collateral token, Wad.
    function collateralUsdWad(uint256 collateral) external view returns (uint256);

    /// @notice USD per whole settlement token, Wad; 1 without a feed.
    function settlementUsdWad() external view returns (uint256);

    /// @notice Packed words: cash << 128 | in default << 64 | time of the call in force, or 0; then for each
    /// market two: size << 128 | cost, and funding index (Wad) << 128 | partial steps << 64 | time of the last;
    /// then for each collateral its amount. Signed halves are in two's complement.
    function accountWords(bytes32 account) external view returns (uint256[] memory);

    function valuation(bytes32 account) external view returns (Valuation memory);

    /// @notice Price of a fill of this size now.
    function quoteFill(uint256 market, int256 sizeDelta) external view returns (uint256 priceWad, uint256 fee);

    /// @notice Vault cash less what its positions, the traders' taken together, have lost. Rounded down.
    function vaultEquity() external view returns (int256);

    /// @return cash Of all accounts together, the insurance fund's among them.
    /// @return insuranceCash The fund's.
    /// @return vaultCash May be below zero.
    function books()
        external
        view
        returns (int256 cash, int256 insuranceCash, int256 vaultCash, uint256 fees, uint256 deficit);

    /// @notice Base units of a collateral held for all accounts together.
    function collateralTotal(uint256 collateral) external view returns (uint256);
}
