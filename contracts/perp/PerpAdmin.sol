// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {PerpCore} from "./PerpCore.sol";
import {PerpMath} from "./PerpMath.sol";

/// @title PerpAdmin
/// @notice The part of a perpetual exchange that its admin uses. See IPerpExchange; PerpExchange calls it by
/// delegation.
contract PerpAdmin is PerpCore {
    using SafeTransfer for IERC20;

    uint256 private constant RAY = Math.RAY;

    modifier onlyAdmin() {
        if (msg.sender != _admin) revert NotAdmin(msg.sender);
        _;
    }

    function listMarket(MarketConfig calldata config, Tier[] calldata tiers) external onlyAdmin {
        uint256 id = _markets.length;
        if (id == MAX_MARKETS) revert TooMany();
        _markets.push();
        emit MarketListed(id, config.feed);
        _configure(id, config, tiers);
    }

    function setMarketConfig(uint256 id, MarketConfig calldata config, Tier[] calldata tiers)
        external
        onlyAdmin
    {
        if (_market(id).longSize != 0 || _market(id).shortSize != 0) _accrue(id);
        _configure(id, config, tiers);
    }

    function listCollateral(CollateralConfig calldata config) external onlyAdmin {
        uint256 id = _collaterals.length;
        if (id == MAX_COLLATERALS) revert TooMany();
        if (_collateralIdPlusOne[config.token] != 0 || config.token == _settlement) {
            revert AlreadyListed(config.token);
        }
        _collaterals.push();
        _collateralIdPlusOne[config.token] = id + 1;
        emit CollateralListed(id, config.token);
        _configureCollateral(id, config);
    }

    function setCollateralConfig(CollateralConfig calldata config) external onlyAdmin {
        _configureCollateral(_collateralId(config.token), config);
    }

    function setRiskConfig(RiskConfig calldata config) external onlyAdmin {
        if (config.backstopBps >= BPS) revert InvalidConfig("backstopBps");
        if (uint256(config.feeVaultBps) + config.feeInsuranceBps > BPS) revert InvalidConfig("feeVaultBps");
        _risk = config;
        emit RiskConfigured(config);
    }

    function setPaused(uint8 flags) external onlyAdmin {
        _paused = flags;
        emit PausedSet(flags);
    }

    function setVault(address vault_) external onlyAdmin {
        if (_vault != address(0)) revert InvalidConfig("vault");
        _vault = vault_;
        emit VaultSet(vault_);
    }

    function setWaterfall(address waterfall_) external onlyAdmin {
        _waterfall = waterfall_;
        emit WaterfallSet(waterfall_);
    }

    function collectFees(address to) external onlyAdmin nonReentrant returns (uint256 amount) {
        amount = _fees;
        _fees = 0;
        emit FeesCollected(to, amount);
        IERC20(_settlement).safeTransfer(to, amount);
    }

    function _configure(uint256 id, MarketConfig calldata config, Tier[] calldata tiers) private {
        _check(config);
        uint256 feedDecimals = IPriceFeed(config.feed).decimals();
        if (feedDecimals > 18) revert InvalidConfig("feed");
        Market storage market = _markets[id];
        market.config = config;
        market.priceScale = uint64(10 ** (18 - feedDecimals));
        delete market.tiers;
        uint256 from = 0;
        for (uint256 i = 0; i < tiers.length; ++i) {
            Tier calldata tier = tiers[i];
            if (tier.upTo <= from) revert InvalidConfig("upTo");
            if (tier.maintenanceBps == 0 || tier.maintenanceBps >= tier.callBps) {
                revert InvalidConfig("maintenanceBps");
            }
            if (tier.callBps >= tier.initialBps || tier.initialBps > BPS) revert InvalidConfig("callBps");
            if (tier.closeShareBps == 0 || tier.closeShareBps > BPS) revert InvalidConfig("closeShareBps");
            from = tier.upTo;
            market.tiers.push(tier);
        }
        if (from != type(uint128).max) revert InvalidConfig("tiers");
        emit MarketConfigured(id, config, tiers);
    }

    function _check(MarketConfig calldata config) private pure {
        if (config.skewScale == 0) revert InvalidConfig("skewScale");
        if (config.maxAnswer <= config.minAnswer) revert InvalidConfig("maxAnswer");
        if (config.makerFeePips >= PerpMath.PIPS || config.takerFeePips >= PerpMath.PIPS) {
            revert InvalidConfig("takerFeePips");
        }
        if (config.premiumBoundBps >= BPS) revert InvalidConfig("premiumBoundBps");
        if (config.premiumDecayRay > RAY || config.bandDecayRay > RAY || config.volatilityDecayRay > RAY) {
            revert InvalidConfig("premiumDecayRay");
        }
        if (config.liquidationFeeBps > BPS || config.liquidatorShareBps > BPS) {
            revert InvalidConfig("liquidationFeeBps");
        }
        if (config.scaleCapBps < BPS) revert InvalidConfig("scaleCapBps");
    }

    function _configureCollateral(uint256 id, CollateralConfig calldata config) private {
        if (config.haircutBps > BPS) revert InvalidConfig("haircutBps");
        if (config.maxAnswer <= config.minAnswer) revert InvalidConfig("maxAnswer");
        uint256 decimals = IERC20(config.token).decimals();
        if (decimals > 18) revert InvalidConfig("token");
        uint256 feedDecimals = IPriceFeed(config.feed).decimals();
        if (feedDecimals > 18) revert InvalidConfig("feed");
        Collateral storage collateral = _collaterals[id];
        collateral.config = config;
        collateral.unit = uint64(10 ** decimals);
        collateral.priceScale = uint64(10 ** (18 - feedDecimals));
        emit CollateralConfigured(id, config);
    }
}
