// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What a perpetual exchange is made of: its structs, events and errors
/// @notice Units. `cash`, `equity`, `margin`, `notional`: base units of the settlement token, in which contracts
/// are quoted. `size`: Wad of a whole unit of the market's asset; above zero is long. `Wad`: 1e18 is one; a
/// price is Wad of a whole settlement token per whole unit. `Ray`: 1e27 is one. `Bps`: 1e4. `Pips`: 1e6.
///
/// An account is one word: owner << 96 | (market id + 1) << 80 | sub-account number. Where the middle is zero the
/// account is cross margined over all markets; otherwise it may trade that market only, and so its position is
/// isolated. The insurance fund is the account whose owner is the exchange.
interface IPerpTypes {
    /// @notice Margins of the part of a position that lies below `upTo` and above the tier before.
    /// @param upTo Notional where the tier ends; type(uint128).max in the last one.
    /// @param initialBps To open; above the call ratio.
    /// @param callBps Below it an account can be called; above the maintenance ratio.
    /// @param maintenanceBps Below it an account can be liquidated.
    /// @param closeShareBps Share of the position that one liquidation closes, while the market's partial
    /// steps last; 10000 for all. It is taken from the tier of the whole position.
    struct Tier {
        uint128 upTo;
        uint16 initialBps;
        uint16 callBps;
        uint16 maintenanceBps;
        uint16 closeShareBps;
    }

    /// @notice What a market is listed with.
    /// @param feed USD price of the asset, of at most 18 decimals.
    /// @param maxAge Seconds after which an answer is refused; 0 leaves the age unchecked.
    /// @param minAnswer Answers at or below it are refused (feed units).
    /// @param maxAnswer Answers at or above it are refused (feed units).
    /// @param skewScale Skew at which the fill price is twice the index (size).
    /// @param longCap Largest open interest of longs (size); type(uint128).max for none.
    /// @param shortCap The same of shorts.
    /// @param makerFeePips Fee on the part of a trade that brings the skew towards zero.
    /// @param takerFeePips Fee on the rest.
    /// @param premiumBoundBps Largest distance of the mark price from the index.
    /// @param premiumDecayRay What one second leaves of the distance between the moving average of the premium
    /// and skew / skewScale.
    /// @param fundingSlopeWad Funding rate per day, paid by longs, at a skew of skewScale.
    /// @param interestWad Added to that rate, per day.
    /// @param fundingCapWad Largest funding rate per day, either way.
    /// @param liquidationFeeBps Share of what is liquidated that the account pays, as far as its equity goes.
    /// @param liquidatorShareBps Share of that fee which the liquidator is paid; the insurance fund has the rest.
    /// @param cooldown Seconds after a partial liquidation in which the position is left alone.
    /// @param partialSteps Partial liquidations before the whole position may be closed.
    /// @param stepWindow Seconds after the last partial liquidation when counting starts anew.
    /// @param bandBps Price band: trades and withdrawals are refused while the index is further than this from
    /// its moving average; 0 is off.
    /// @param bandDecayRay What one second leaves of the distance between that average and the index.
    /// @param volatilityTargetWad Volatility per square root of a day above which margins grow in proportion;
    /// 0 is off.
    /// @param volatilityDecayRay What one second leaves of a past return in the variance.
    /// @param openInterestSlopeBps Margins grow by this where the larger side's open interest is skewScale; 0 is
    /// off.
    /// @param scaleCapBps Largest multiple that margins grow to; at least 10000.
    struct MarketConfig {
        address feed;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
        uint128 skewScale;
        uint128 longCap;
        uint128 shortCap;
        uint32 makerFeePips;
        uint32 takerFeePips;
        uint16 premiumBoundBps;
        uint128 premiumDecayRay;
        uint64 fundingSlopeWad;
        int64 interestWad;
        uint64 fundingCapWad;
        uint16 liquidationFeeBps;
        uint16 liquidatorShareBps;
        uint32 cooldown;
        uint8 partialSteps;
        uint32 stepWindow;
        uint16 bandBps;
        uint128 bandDecayRay;
        uint64 volatilityTargetWad;
        uint128 volatilityDecayRay;
        uint16 openInterestSlopeBps;
        uint32 scaleCapBps;
    }

    /// @notice What a collateral other than the settlement token is listed with.
    /// @param token Of at most 18 decimals.
    /// @param feed Its USD price, of at most 18 decimals.
    /// @param haircutBps Share of its value that does not count as equity.
    /// @param cap Largest amount the exchange holds, in the token's base units; type(uint128).max for none.
    struct CollateralConfig {
        address token;
        address feed;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
        uint16 haircutBps;
        uint128 cap;
    }

    /// @notice Rules of the whole exchange.
    /// @param withdrawFloorBps Withdrawal margin floor: what stays behind is at least the initial margin, and this
    /// share of the notional; 0 is off.
    /// @param withdrawProfit Does unrealised profit count when withdrawing?
    /// @param backstopBps At or below this share of its maintenance margin an account is taken over whole; 0:
    /// once it has no equity left.
    /// @param feeVaultBps Share of the trading fees that goes to the vault.
    /// @param feeInsuranceBps Share that goes to the insurance fund; the rest is for the admin to collect.
    /// @param keeperFee Paid by the insurance fund, as far as it goes, to whoever has an account taken over; at
    /// most the account's maintenance margin.
    /// @param vaultFloor Equity the vault keeps when it takes over; without a waterfall it takes over regardless.
    /// @param vaultLockBps Redemptions leave the vault with this share of the larger side's open notional.
    struct RiskConfig {
        uint16 withdrawFloorBps;
        bool withdrawProfit;
        uint16 backstopBps;
        uint16 feeVaultBps;
        uint16 feeInsuranceBps;
        uint128 keeperFee;
        uint128 vaultFloor;
        uint16 vaultLockBps;
    }

    /// @notice One market at this block's time.
    /// @param fundingIndexWad Paid so far by one unit of long size, Wad of a settlement token.
    /// @param fundingBase Sum over positions of size * their funding index.
    /// @param totalCost Sum over positions of their cost.
    /// @param premiumWad Moving average of skew / skewScale, before its bound.
    /// @param referenceWad Moving average of the index.
    /// @param varianceRate Moving variance of returns per second, 1e36 is one.
    /// @param marginScaleBps What margins are multiplied with.
    struct MarketState {
        uint256 indexWad;
        uint256 markWad;
        uint256 longSize;
        uint256 shortSize;
        int256 totalCost;
        int256 fundingIndexWad;
        int256 fundingBase;
        int256 fundingRateWad;
        int256 premiumWad;
        uint256 referenceWad;
        uint256 varianceRate;
        uint256 marginScaleBps;
    }

    /// @notice What an account is worth. Equity is rounded down, margins up.
    /// @param unrealised Sum of profit and loss over positions, funding deducted.
    struct Valuation {
        int256 equity;
        int256 unrealised;
        uint256 notional;
        uint256 initialMargin;
        uint256 callMargin;
        uint256 maintenanceMargin;
    }

    /// @notice Why a position changed.
    enum FillKind {
        Trade,
        Liquidation,
        Takeover,
        Deleverage,
        Unwind
    }

    /// @notice Who stands behind an account that cannot pay.
    enum Taker {
        Nobody,
        Insurance,
        Vault,
        Waterfall
    }

    event MarketListed(uint256 indexed market, address feed);
    event MarketConfigured(uint256 indexed market, MarketConfig config, Tier[] tiers);
    event CollateralListed(uint256 indexed collateral, address indexed token);
    event CollateralConfigured(uint256 indexed collateral, CollateralConfig config);
    event RiskConfigured(RiskConfig config);
    event PausedSet(uint8 flags);
    event VaultSet(address vault);
    event WaterfallSet(address waterfall);
    event OperatorSet(address indexed owner, address indexed operator, bool allowed);
    event Deposit(bytes32 indexed account, address indexed token, address indexed payer, uint256 amount);
    event Withdraw(bytes32 indexed account, address indexed token, address indexed to, uint256 amount);
    event Moved(bytes32 indexed from, bytes32 indexed to, address indexed token, uint256 amount);
    event VaultChanged(int256 amount);
    event FeesCollected(address to, uint256 amount);

    /// @notice A position changed, against the vault.
    /// @param priceWad Of the fill.
    /// @param fee Trading fee, already charged.
    /// @param realised Profit paid by the vault, or loss paid to it, at the fill price.
    /// @param funding Funding settled with it; above zero the account paid.
    event Fill(
        bytes32 indexed account,
        uint256 indexed market,
        FillKind indexed kind,
        int256 sizeDelta,
        uint256 priceWad,
        uint256 fee,
        int256 realised,
        int256 funding,
        int256 sizeAfter
    );

    /// @notice A margin call: equity is below the call margin, for the first time in this episode.
    event MarginCall(bytes32 indexed account, int256 equity, uint256 callMargin, uint256 maintenanceMargin);

    /// @notice The episode is over: equity is at the call margin or above.
    event MarginCallEnded(bytes32 indexed account, int256 equity, uint256 callMargin);

    /// @notice A position was liquidated, in part or whole.
    /// @param sizeClosed Above zero where a long was closed.
    /// @param before The account before it: cash; then for each market size, and cost + funding owed; then for
    /// each collateral its amount.
    /// @param prices Mark price of each market and price of each collateral in settlement tokens (Wad), then what
    /// margins of each market are multiplied with (Bps); 0 for what the account did not hold.
    event Liquidation(
        bytes32 indexed account,
        uint256 indexed market,
        address indexed liquidator,
        int256 sizeClosed,
        uint256 priceWad,
        uint256 reward,
        uint256 insuranceFee,
        int256 equityBefore,
        uint256 maintenanceBefore,
        int256[] before,
        uint256[] prices
    );

    /// @notice An account past the backstop was taken over, with everything in it. Nobody: selling its collateral
    /// brought it back.
    /// @param equityTaken After its collateral was sold; below zero is a loss for the taker.
    event Takeover(
        bytes32 indexed account,
        Taker indexed by,
        address indexed keeper,
        int256 equityTaken,
        int256 equityBefore,
        uint256 maintenanceBefore,
        int256[] before,
        uint256[] prices
    );

    event CollateralSold(bytes32 indexed account, address indexed token, uint256 amountIn, uint256 amountOut);

    /// @notice Somebody paid what an account could not.
    event LossPaid(bytes32 indexed account, Taker indexed by, uint256 amount);

    /// @notice Nobody has paid for this yet.
    event DeficitBooked(bytes32 indexed account, uint256 amount);

    /// @notice The deficit fell. `from` is the account or the word of the address that paid; zero for the vault.
    event DeficitCovered(bytes32 indexed from, uint256 amount);

    error NotAdmin(address caller);
    error NotVault(address caller);
    error NotWaterfall(address caller);
    error NotAuthorised(bytes32 account, address caller);
    error InvalidConfig(string field);
    error AlreadyListed(address token);
    error NotListed(address token);
    error NoMarket(uint256 market);
    error TooMany();
    error ZeroAmount();
    error Reentrancy();
    error Paused(uint8 flag);
    error IsolatedMarket(bytes32 account, uint256 market);
    error DifferentOwner(bytes32 from, bytes32 to);
    error InDefault(bytes32 account);
    error NotInDefault(bytes32 account);
    error PriceOutOfBand(uint256 market, uint256 indexWad, uint256 referenceWad);
    error FillPriceOutOfRange(uint256 market);
    error PriceLimit(uint256 priceWad, uint256 limitWad);
    error OpenInterestCap(uint256 market, uint256 cap, uint256 size);
    error CollateralCap(address token, uint256 cap, uint256 amount);
    error InsufficientCollateral(bytes32 account, address token, uint256 amount);
    error InsufficientMargin(bytes32 account, int256 equity, uint256 required);
    error NotCallable(bytes32 account, int256 equity, uint256 callMargin);
    error AlreadyCalled(bytes32 account, uint256 calledAt);
    error NotCalled(bytes32 account);
    error StillCalled(bytes32 account, int256 equity, uint256 callMargin);
    error Healthy(bytes32 account, int256 equity, uint256 maintenanceMargin);
    error NoPosition(bytes32 account, uint256 market);
    error CoolingDown(bytes32 account, uint256 market, uint256 until);
    error NotOpposite(bytes32 account, bytes32 other);
    error MoreThanProfit(bytes32 account, uint256 amount, int256 profit);
    error MoreThanLoss(bytes32 account, uint256 amount, int256 equity);
    error MoreThanDeficit(uint256 amount, uint256 deficit);
    error VaultLocked(int256 equity, uint256 needed);
}
