// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title The market outside: a price that is published, with impact and recovery
/// @notice A virtual constant-product curve around the published price P. With depth D and displacement q
/// (base wei sold into the market, net of what was bought, decaying by the factor r every second) its
/// reserves are D + q base and P D^2 / (D + q) usd, and its price is P (D / (D + q))^2. What it pays out
/// comes from its own token balances. A price is usd tokens per whole base token, with 8 decimals; amounts
/// are wei. Every amount paid is rounded down.
interface IExternalMarket {
    /// @param price The new P, 8 decimals.
    event Published(uint256 price);

    /// @param sold The trader sold base; otherwise the trader bought it.
    /// @param priceAfter 8 decimals, displacement included.
    event Trade(
        address indexed trader, bool sold, uint256 baseAmount, uint256 usdAmount, uint256 priceAfter
    );

    error NotPublisher(address caller);

    /// @notice Zero, or more than 64 bits.
    error InvalidPrice(uint256 price);

    /// @notice A depth of zero or above 2^120, a fee of 100% or more, or a recovery factor above one.
    error InvalidParameter();

    /// @notice The trade is too small to move or pay a single wei, or too large to count.
    error InvalidAmount();

    /// @notice The output is below the caller's limit.
    error SlippageExceeded(uint256 amountOut, uint256 minOut);

    /// @notice The market has run out of what it was asked for.
    error InsufficientInventory(address token, uint256 available, uint256 needed);

    function base() external view returns (IERC20);

    function usd() external view returns (IERC20);

    function publisher() external view returns (address);

    /// @notice D, in base wei.
    function depthBase() external view returns (uint256);

    /// @notice r: what is left of the displacement after one second, in ray; 1e27 means no recovery.
    function recoveryPerSecondRay() external view returns (uint256);

    /// @notice Fee on the input, in pips; it stays in the inventory and does not move the price.
    function feePips() external view returns (uint24);

    /// @notice P, 8 decimals.
    function fundamental() external view returns (uint256);

    /// @notice q now, in base wei; rounded toward zero as it decays.
    function displacement() external view returns (int256);

    /// @notice P (D / (D + q))^2 now, 8 decimals, rounded down.
    function price() external view returns (uint256);

    /// @notice price(), fundamental() and displacement() in one call.
    function state()
        external
        view
        returns (uint256 priceNow, uint256 fundamentalNow, int256 displacementNow);

    /// @notice usd wei that selling `baseIn` base wei pays now, whatever the inventory.
    function quoteSell(uint256 baseIn) external view returns (uint256 usdOut);

    /// @notice base wei that `usdIn` usd wei buy now, whatever the inventory.
    function quoteBuy(uint256 usdIn) external view returns (uint256 baseOut);

    /// @notice Set P. Publisher only; the displacement stays.
    function publish(uint256 newPrice) external;

    /// @notice Sell `baseIn` base wei, taken from the caller; usd goes to `to`.
    function sell(uint256 baseIn, uint256 minUsdOut, address to) external returns (uint256 usdOut);

    /// @notice Spend `usdIn` usd wei, taken from the caller; base goes to `to`.
    function buy(uint256 usdIn, uint256 minBaseOut, address to) external returns (uint256 baseOut);
}
