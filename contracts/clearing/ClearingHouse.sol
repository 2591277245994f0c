// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingFund} from "../interfaces/IClearingFund.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IDeleveragingPolicy} from "../interfaces/IDeleveragingPolicy.sol";
import {IPerpExchange} from "../interfaces/IPerpExchange.sol";
import {IPerpTypes} from "../interfaces/IPerpTypes.sol";
import {Math} from "../libraries/Math.sol";
import {PerpMath} from "../perp/PerpMath.sol";

/// @title ClearingHouse
/// @notice See IClearingHouse. It holds no money: funds pay through ClearingFund, winners and vault on the venue.
contract ClearingHouse is IClearingHouse {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;

    /// @notice Most reports that one round takes.
    uint256 public constant MAX_REPORTS = 64;

    /// @dev Closing a part of a position costs an account at most this much by rounding: left to it, so that whoever
    /// pays all it has is not left below zero.
    uint256 private constant ROUNDING = 2;

    /// @dev An account in default: what is to be closed of it, by market, and the part of a position's value that
    /// winners pay through the price.
    struct Defaulter {
        bytes32 account;
        uint64 reportedAt;
        uint256 discountWad;
        mapping(uint256 market => int256) sizes;
    }

    struct Market {
        uint256 markWad;
        int256 fundingIndexWad;
    }

    /// @dev Open positions of longs or shorts of one market.
    struct Side {
        uint256 listed;
        uint256 closable;
        uint256 total;
        uint256 left;
        uint256 cursor;
    }

    struct Entry {
        bytes32 account;
        uint128 cap;
        uint128 weight;
    }

    /// @dev An account in line while its positions are closed.
    /// @param left Of the position that is being closed.
    /// @param budget What the account may still pay through the price.
    /// @param value Closed so far, at the mark price.
    struct Closing {
        bytes32 account;
        uint256 market;
        bool isLong;
        uint256 left;
        uint256 budget;
        uint256 value;
        uint256 paid;
    }

    struct Line {
        Entry[] entries;
        uint256 weights;
        bool isLevel;
        uint256 levelLoss;
        uint256 levelWeights;
    }

    struct RoundData {
        Round round;
        Defaulter[] defaulters;
        mapping(uint256 market => Market) markets;
        mapping(uint256 side => Side) sides;
        Line[2] lines;
        bytes32[] taken;
    }

    struct Venue {
        VenueConfig config;
        bool known;
        uint256 head;
        uint256 number;
        Report[] reports;
        mapping(uint256 round => RoundData) rounds;
    }

    /// @dev What a call knows of the venue, read once.
    struct Context {
        IPerpExchange exchange;
        IDeleveragingPolicy policy;
        bytes32 insurance;
        uint256 marketCount;
        uint256 valueScale;
        uint256 sides;
    }

    address public immutable admin;
    address public immutable fund;

    uint256 public openRounds;
    uint256 public openReports;
    mapping(address owner => uint256) public openReportsOf;
    mapping(address venue => Venue) internal _venues;

    constructor(address admin_, address fund_) {
        admin = admin_;
        fund = fund_;
    }

    modifier inStage(address venue, Stage stage) {
        RoundData storage r = _round(venue);
        if (r.round.stage != stage) revert WrongStage(venue, r.round.stage);
        _;
    }

    function configure(address venue, VenueConfig calldata config) external {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        Stage stage = _round(venue).round.stage;
        if (stage != Stage.Idle) revert WrongStage(venue, stage);
        if (config.policy.code.length == 0) revert InvalidPolicy(config.policy);
        if (config.winnersPolicy != address(0) && IDeleveragingPolicy(config.winnersPolicy).atBankruptcyPrice()) {
            revert InvalidPolicy(config.winnersPolicy);
        }
        _venues[venue].config = config;
        _venues[venue].known = true;
        emit VenueConfigured(venue, config.policy, config.winnersPolicy);
    }

    // ---- Reports

    function onDefault(bytes32 account, int256 equity) external {
        _report(account, 0);
        emit Reported(msg.sender, account, equity, 0);
    }

    function onDeficit(bytes32 account, uint256 amount) external {
        _report(account, amount.toUint128());
        emit Reported(msg.sender, account, 0, amount);
    }

    function _report(bytes32 account, uint128 deficit) private {
        if (!_venues[msg.sender].known) revert UnknownVenue(msg.sender);
        _venues[msg.sender].reports.push(Report(account, deficit, uint64(block.timestamp)));
        ++openReports;
        ++openReportsOf[PerpMath.ownerOf(account)];
    }

    // ---- Opening

    function open(address venue, uint256 count) external inStage(venue, Stage.Idle) {
        Venue storage v = _venues[venue];
        count = count.min(v.reports.length - v.head).min(MAX_REPORTS);
        if (count == 0) revert NothingReported(venue);
        RoundData storage r = v.rounds[++v.number];
        r.round.number = v.number;
        r.round.openedAt = uint64(block.timestamp);
        ++openRounds;
        Context memory c = _context(venue, r);
        emit RoundOpened(venue, v.number, count, _fixPrices(c, r));
        bool closing = false;
        uint256 priced = 0;
        for (uint256 i; i < count; ++i) {
            Report memory report = v.reports[v.head + i];
            r.taken.push(report.account);
            if (report.deficit != 0) {
                _takeDeficit(c, r, report);
            } else {
                priced += _takeDefault(c, r, report);
                closing = true;
            }
        }
        v.head += count;
        _begin(c, r, closing, priced);
    }

    function _fixPrices(Context memory c, RoundData storage r) private returns (uint256[] memory marks) {
        marks = new uint256[](c.marketCount);
        for (uint256 id; id < c.marketCount; ++id) {
            IPerpTypes.MarketState memory s = c.exchange.marketState(id);
            if (s.longSize == 0 && s.shortSize == 0) continue;
            r.markets[id] = Market(s.markWad, s.fundingIndexWad);
            marks[id] = s.markWad;
        }
    }

    function _takeDeficit(Context memory c, RoundData storage r, Report memory report) private {
        uint256 loss = uint256(report.deficit).min(_deficit(c));
        uint256 unpaid = _payFromFunds(c, r, report.account, loss, false);
        r.round.unpaid += unpaid;
        emit LossTaken(address(c.exchange), r.round.number, report.account, loss, unpaid);
    }

    /// @dev It may be less than what was reported: anyone may have paid for it.
    function _deficit(Context memory c) internal view returns (uint256 deficit) {
        (,,,, deficit) = c.exchange.books();
    }

    /// @dev After this the account is worth nothing at the prices of the round, or as little as what winners are to
    /// pay through the price: `priced`.
    function _takeDefault(Context memory c, RoundData storage r, Report memory report)
        internal
        virtual
        returns (uint256 priced)
    {
        Defaulter storage d = r.defaulters.push();
        d.account = report.account;
        d.reportedAt = report.reportedAt;
        ++r.round.defaulters;
        uint256 loss = (-c.exchange.valuation(report.account).equity).positive();
        uint256 unpaid = _payFromFunds(c, r, report.account, loss, true);
        uint256 notional = _takePositions(c, r, d);
        emit LossTaken(address(c.exchange), r.round.number, report.account, loss, unpaid);
        if (unpaid == 0) return 0;
        if (c.policy.atBankruptcyPrice()) {
            if (notional != 0) d.discountWad = unpaid.mulDivDown(Math.WAD, notional);
            return unpaid;
        }
        c.exchange.realiseLoss(report.account, unpaid);
        r.round.unpaid += unpaid;
    }

    function _takePositions(Context memory c, RoundData storage r, Defaulter storage d)
        private
        returns (uint256 notional)
    {
        uint256[] memory words = c.exchange.accountWords(d.account);
        for (uint256 id; id < c.marketCount; ++id) {
            int256 size = words[1 + 2 * id].highOf();
            if (size == 0) continue;
            d.sizes[id] = size;
            uint256 side = _opposite(id, size);
            r.round.sides |= 1 << side;
            r.sides[side].total += size.abs();
            r.sides[side].left += size.abs();
            notional += size.abs().mulDivDown(r.markets[id].markWad, c.valueScale);
        }
    }

    /// @dev Where the funds paid for everything and the vault may have the positions, nobody is deleveraged. A loss
    /// without positions has winners on every side.
    function _begin(Context memory c, RoundData storage r, bool closing, uint256 priced) internal virtual {
        Round storage round = r.round;
        bool covered = round.unpaid == 0 && priced == 0;
        if (covered && (!closing || _vaultMayTake(c))) {
            round.sides = 0;
        } else if (round.sides == 0) {
            round.sides = (1 << 2 * c.marketCount) - 1;
        }
        _beginLine(c, r);
    }

    function _vaultMayTake(Context memory c) internal view virtual returns (bool) {
        return c.exchange.vaultEquity() >= uint256(c.exchange.riskConfig().vaultFloor).toInt();
    }

    function _beginLine(Context memory c, RoundData storage r) private {
        c.sides = r.round.sides;
        r.round.stage = Stage.Listing;
        if (_isComplete(c, r)) _endListing(c, r);
    }

    // ---- Funds

    /// @dev Asks step after step; each gives all it has before the next is asked.
    /// @param open_ Is the account still in default, so that its loss is not in the deficit yet?
    function _payFromFunds(Context memory c, RoundData storage r, bytes32 account, uint256 loss, bool open_)
        internal
        virtual
        returns (uint256 unpaid)
    {
        unpaid = loss;
        for (
            uint8 step = uint8(IClearingFund.Step.Margin);
            step <= uint8(IClearingFund.Step.Assessment) && unpaid != 0;
            ++step
        ) {
            unpaid -= _payStep(c, r, account, IClearingFund.Step(step), unpaid, open_);
        }
    }

    function _payStep(
        Context memory c,
        RoundData storage r,
        bytes32 account,
        IClearingFund.Step step,
        uint256 wanted,
        bool open_
    ) internal virtual returns (uint256 paid) {
        bytes32 payer = c.insurance;
        if (step == IClearingFund.Step.Insurance) {
            paid = wanted.min(_insuranceSpare(c));
        } else {
            address member = PerpMath.ownerOf(account);
            paid = IClearingFund(fund).raise(step, member, wanted);
            payer = PerpMath.mainAccount(
                step == IClearingFund.Step.Margin || step == IClearingFund.Step.OwnShare ? member : fund
            );
        }
        if (paid == 0) return 0;
        if (open_) c.exchange.realiseLoss(account, paid);
        if (step == IClearingFund.Step.Insurance) c.exchange.chargeInsurance(paid);
        else IClearingFund(fund).cover(address(c.exchange), paid);
        emit Paid(address(c.exchange), r.round.number, step, payer, paid);
    }

    /// @dev The fund's cash as far as it does not need it for its own positions: as the exchange reckons.
    function _insuranceSpare(Context memory c) internal view virtual returns (uint256) {
        uint256 word = c.exchange.accountWords(c.insurance)[0];
        if (word >> 64 & 1 != 0) return 0;
        IPerpTypes.Valuation memory v = c.exchange.valuation(c.insurance);
        return (v.equity - v.maintenanceMargin.toInt()).positive().min(word.highOf().positive());
    }

    // ---- Listing

    function list(address venue, bytes32[] calldata accounts) external inStage(venue, Stage.Listing) {
        RoundData storage r = _round(venue);
        Context memory c = _context(venue, r);
        Line storage line = _line(r);
        for (uint256 i; i < accounts.length; ++i) {
            bytes32 account = accounts[i];
            uint256[] memory words = c.exchange.accountWords(account);
            Place memory place = _place(c, r, account, words);
            if (!place.isOnSide) revert NotOnSide(account);
            _requireOrder(r, account, place.rank);
            (r.round.lastRank, r.round.lastAccount) = (place.rank, account);
            _count(c, r, words, place.rank != 0);
            if (place.rank == 0) continue;
            line.entries.push(Entry(account, place.cap.toUint128(), place.weight.toUint128()));
            line.weights += place.weight;
            ++r.round.inLine;
            emit Listed(venue, r.round.number, account, place.rank, place.wealth);
        }
        if (_isComplete(c, r)) _endListing(c, r);
    }

    /// @dev Strictly by falling rank, then rising word: so that nobody is listed twice either.
    function _requireOrder(RoundData storage r, bytes32 account, uint256 rank) internal view virtual {
        if (r.round.lastAccount == 0) return;
        if (rank < r.round.lastRank || (rank == r.round.lastRank && account > r.round.lastAccount)) return;
        revert OutOfOrder(account, rank);
    }

    function _count(Context memory c, RoundData storage r, uint256[] memory words, bool pays) private {
        for (uint256 id; id < c.marketCount; ++id) {
            int256 size = words[1 + 2 * id].highOf();
            if (size == 0 || !_isListed(c, id, size)) continue;
            Side storage side = r.sides[_side(id, size)];
            side.listed += size.abs();
            if (pays && _profit(c, r, id, words) > 0) side.closable += size.abs();
        }
    }

    /// @dev All positions of every side of the round are listed.
    function _isComplete(Context memory c, RoundData storage r) internal view virtual returns (bool) {
        for (uint256 id; id < c.marketCount; ++id) {
            uint256 both = c.sides >> 2 * id & 3;
            if (both == 0) continue;
            IPerpTypes.MarketState memory s = c.exchange.marketState(id);
            if (both & 1 != 0 && r.sides[2 * id].listed < s.longSize) return false;
            if (both & 2 != 0 && r.sides[2 * id + 1].listed < s.shortSize) return false;
        }
        return true;
    }

    function _endListing(Context memory c, RoundData storage r) private {
        Line storage line = _line(r);
        emit LineComplete(address(c.exchange), r.round.number, line.entries.length, line.weights);
        r.round.stage = Stage.Deleveraging;
        if (line.entries.length == 0) _endLine(c, r);
    }

    function _place(Context memory c, RoundData storage r, bytes32 account, uint256[] memory words)
        private
        view
        returns (Place memory place)
    {
        IDeleveragingPolicy.Candidate memory candidate;
        int256 profit;
        uint256 reserve;
        for (uint256 id; id < c.marketCount; ++id) {
            int256 size = words[1 + 2 * id].highOf();
            if (size == 0) continue;
            int256 part = _profit(c, r, id, words);
            profit += part;
            if (!_isListed(c, id, size)) continue;
            place.isOnSide = true;
            reserve += ROUNDING * r.round.defaulters;
            if (part <= 0) continue;
            place.wealth += uint256(part);
            candidate.notional += size.abs().mulDivDown(r.markets[id].markWad, c.valueScale);
        }
        IPerpTypes.Valuation memory v = c.exchange.valuation(account);
        candidate.accountValue = (v.equity - v.unrealised + profit).positive();
        place.wealth = place.wealth.min(profit.positive()).min(candidate.accountValue).subFloor(reserve);
        if (!_pays(c, account, words)) place.wealth = 0;
        if (place.wealth == 0) return place;
        candidate.wealth = place.wealth;
        (place.cap, place.weight) = c.policy.terms(place.wealth, candidate.notional);
        for (uint256 id; id < c.marketCount; ++id) {
            int256 size = words[1 + 2 * id].highOf();
            if (size == 0 || !_isListed(c, id, size)) continue;
            profit = _profit(c, r, id, words);
            if (profit <= 0) continue;
            candidate.long = size > 0;
            candidate.value = size.abs().mulDivDown(r.markets[id].markWad, c.valueScale);
            candidate.cost = words[1 + 2 * id].lowOf().abs();
            candidate.profit = uint256(profit);
            place.rank = place.rank.max(c.policy.rank(candidate));
        }
    }

    /// @dev Neither those in default nor the insurance fund, which has paid already.
    function _pays(Context memory c, bytes32 account, uint256[] memory words) private pure returns (bool) {
        return words[0] >> 64 & 1 == 0 && account != c.insurance;
    }

    /// @dev Of a position, at the prices of the round.
    function _profit(Context memory c, RoundData storage r, uint256 id, uint256[] memory words)
        private
        view
        returns (int256)
    {
        Market storage m = r.markets[id];
        int256 size = words[1 + 2 * id].highOf();
        return PerpMath.profitDown(size, words[1 + 2 * id].lowOf(), m.markWad, c.valueScale)
            - PerpMath.fundingUp(size, m.fundingIndexWad, words[2 + 2 * id].highOf(), c.valueScale);
    }

    // ---- Deleveraging

    function deleverage(address venue, uint256 count) external inStage(venue, Stage.Deleveraging) {
        if (count == 0) revert ZeroAmount();
        RoundData storage r = _round(venue);
        Context memory c = _context(venue, r);
        Line storage line = _line(r);
        r.round.unpaid = r.round.unpaid.min(_deficit(c));
        for (; count != 0 && r.round.done < line.entries.length && !_isSettled(r, c); --count) {
            Entry memory entry = line.entries[r.round.done];
            ++r.round.done;
            _deleverage(c, r, entry);
        }
        if (r.round.done == line.entries.length || _isSettled(r, c)) _endLine(c, r);
    }

    /// @dev Nothing left to pay, and nothing to close.
    function _isSettled(RoundData storage r, Context memory c) private view returns (bool) {
        if (r.round.unpaid != 0) return false;
        if (r.round.winners) return true;
        for (uint256 side; side < 2 * c.marketCount; ++side) {
            if (c.sides >> side & 1 != 0 && r.sides[side].left != 0) return false;
        }
        return true;
    }

    function _deleverage(Context memory c, RoundData storage r, Entry memory entry) private {
        uint256 due = _due(c, r, entry);
        uint256[] memory words = c.exchange.accountWords(entry.account);
        uint256 paid;
        uint256 closedValue;
        if (_pays(c, entry.account, words)) {
            paid = _haircut(c, r, entry.account, due);
            if (!r.round.winners) {
                uint256 byPrice;
                (closedValue, byPrice) = _closePositions(c, r, entry, words);
                paid += byPrice;
            }
        }
        if (paid != 0) {
            emit Paid(
                address(c.exchange),
                r.round.number,
                r.round.winners ? IClearingFund.Step.WinnersHaircut : IClearingFund.Step.Deleveraging,
                entry.account,
                paid
            );
        }
        emit Deleveraged(address(c.exchange), r.round.number, entry.account, due, paid, closedValue);
    }

    function _due(Context memory c, RoundData storage r, Entry memory entry) private returns (uint256 due) {
        Line storage line = _line(r);
        uint256 loss = line.isLevel ? line.levelLoss : r.round.unpaid;
        uint256 weights = line.isLevel ? line.levelWeights : line.weights;
        bool level;
        (due, level) = c.policy.payment(entry.cap, entry.weight, loss, weights);
        if (level && !line.isLevel) {
            (line.isLevel, line.levelLoss, line.levelWeights) = (true, loss, weights);
        }
        line.weights -= entry.weight;
        due = due.min(r.round.unpaid);
    }

    /// @dev Never more than the profit and the equity that the account has now.
    function _haircut(Context memory c, RoundData storage r, bytes32 account, uint256 due)
        internal
        virtual
        returns (uint256 paid)
    {
        if (due == 0) return 0;
        IPerpTypes.Valuation memory v = c.exchange.valuation(account);
        paid = due.min(v.unrealised.positive()).min(v.equity.positive());
        if (paid == 0) return 0;
        r.round.unpaid -= paid;
        c.exchange.haircut(account, paid);
    }

    /// @dev As much of each position in profit as the policy says, against those in default in the order in which
    /// they were reported.
    function _closePositions(Context memory c, RoundData storage r, Entry memory entry, uint256[] memory words)
        private
        returns (uint256 closedValue, uint256 paid)
    {
        Closing memory k;
        (k.account, k.budget) = (entry.account, entry.cap);
        for (k.market = 0; k.market < c.marketCount; ++k.market) {
            int256 size = words[1 + 2 * k.market].highOf();
            if (size == 0 || !_isListed(c, k.market, size) || _profit(c, r, k.market, words) <= 0) continue;
            k.isLong = size > 0;
            Side storage side = r.sides[_side(k.market, size)];
            k.left = c.policy.closing(size.abs(), side.total, side.closable).min(side.left);
            while (k.left != 0 && side.cursor < r.defaulters.length) {
                Defaulter storage d = r.defaulters[side.cursor];
                int256 held = d.sizes[k.market];
                if (held == 0 || (held > 0) == k.isLong) ++side.cursor;
                else if (!_closeAgainst(c, r, d, k, side)) break;
            }
        }
        return (k.value, k.paid);
    }

    /// @dev A defaulter's long is closed above the mark price, a short below it, by what the account is short of;
    /// rounded down, so that nobody pays more than its budget.
    function _closeAgainst(
        Context memory c,
        RoundData storage r,
        Defaulter storage d,
        Closing memory k,
        Side storage side
    ) internal virtual returns (bool) {
        int256 held = d.sizes[k.market];
        uint256 markWad = r.markets[k.market].markWad;
        uint256 discount = markWad.mulDivDown(d.discountWad, Math.WAD);
        if (held < 0) discount = discount.min(markWad);
        uint256 closed = k.left.min(held.abs());
        if (discount != 0) closed = closed.min(_affordable(k.budget, discount, c.valueScale));
        if (closed == 0) return false;
        uint256 paid = closed.mulDivUp(discount, c.valueScale);
        d.sizes[k.market] = held > 0 ? held - closed.toInt() : held + closed.toInt();
        side.left -= closed;
        k.left -= closed;
        k.budget = k.budget.subFloor(paid);
        k.paid += paid;
        k.value += closed.mulDivDown(markWad, c.valueScale);
        c.exchange.closePair(
            d.account, k.account, k.market, closed, held > 0 ? markWad + discount : markWad - discount
        );
        return true;
    }

    /// @dev Size that can be closed this far from the mark price.
    function _affordable(uint256 budget, uint256 discount, uint256 valueScale)
        internal
        view
        virtual
        returns (uint256)
    {
        return budget.mulDivDown(valueScale, discount);
    }

    function _endLine(Context memory c, RoundData storage r) internal virtual {
        r.round.stage = Stage.Finishing;
        if (r.round.winners || r.round.defaulters == 0) _endRound(c, r);
    }

    // ---- Finishing

    function finish(address venue, uint256 count) external inStage(venue, Stage.Finishing) {
        if (count == 0) revert ZeroAmount();
        RoundData storage r = _round(venue);
        Context memory c = _context(venue, r);
        r.round.unpaid = r.round.unpaid.min(_deficit(c));
        for (; count != 0 && r.round.finished < r.round.defaulters; --count) {
            _closeOut(c, r, r.defaulters[r.round.finished]);
            ++r.round.finished;
        }
        if (r.round.finished == r.round.defaulters) _endRound(c, r);
    }

    /// @dev The vault takes what nobody stood opposite to, at the mark price of now; funds are asked for what that
    /// leaves, since prices have moved or winners had not enough to pay.
    function _closeOut(Context memory c, RoundData storage r, Defaulter storage d) internal virtual {
        for (uint256 id; id < c.marketCount; ++id) {
            if (d.sizes[id] != 0) c.exchange.closeToVault(d.account, id);
        }
        uint256 residual = c.exchange.writeOff(d.account);
        r.round.unpaid += _payFromFunds(c, r, d.account, residual, false);
        emit ClosedOut(address(c.exchange), r.round.number, d.account, residual, d.reportedAt);
    }

    /// @dev All winners, where the venue is set up so and they have not been asked yet; then the vault's holders, as
    /// far as the vault has equity.
    function _endRound(Context memory c, RoundData storage r) private {
        Round storage round = r.round;
        if (round.unpaid != 0 && !round.winners && _venues[address(c.exchange)].config.winnersPolicy != address(0)) {
            _fixPrices(c, r);
            for (uint256 side; side < 2 * c.marketCount; ++side) {
                delete r.sides[side];
            }
            (round.winners, round.inLine, round.done, round.lastRank, round.lastAccount) = (true, 0, 0, 0, 0);
            round.sides = (1 << 2 * c.marketCount) - 1;
            c.policy = IDeleveragingPolicy(_venues[address(c.exchange)].config.winnersPolicy);
            _beginLine(c, r);
            return;
        }
        _chargeVault(c, r);
        round.stage = Stage.Idle;
        --openRounds;
        openReports -= r.taken.length;
        for (uint256 i; i < r.taken.length; ++i) {
            --openReportsOf[PerpMath.ownerOf(r.taken[i])];
        }
        emit RoundClosed(address(c.exchange), round.number, round.unpaid);
    }

    function _chargeVault(Context memory c, RoundData storage r) internal virtual {
        if (r.round.unpaid == 0) return;
        uint256 paid = r.round.unpaid.min(c.exchange.vaultEquity().positive());
        if (paid == 0) return;
        r.round.unpaid -= paid;
        c.exchange.chargeVault(paid);
        emit Paid(address(c.exchange), r.round.number, IClearingFund.Step.Vault, 0, paid);
    }

    // ---- Views

    function configOf(address venue) external view returns (VenueConfig memory) {
        return _venues[venue].config;
    }

    function roundOf(address venue) external view returns (Round memory) {
        return _round(venue).round;
    }

    function reportsOf(address venue, uint256 count) external view returns (uint256 pending, Report[] memory some) {
        Venue storage v = _venues[venue];
        pending = v.reports.length - v.head;
        some = new Report[](count.min(pending));
        for (uint256 i; i < some.length; ++i) {
            some[i] = v.reports[v.head + i];
        }
    }

    function markOf(address venue, uint256 market) external view returns (uint256) {
        return _round(venue).markets[market].markWad;
    }

    function sideOf(address venue, uint256 side)
        external
        view
        returns (uint256 listed, uint256 closable, uint256 total, uint256 left)
    {
        Side storage s = _round(venue).sides[side];
        return (s.listed, s.closable, s.total, s.left);
    }

    function placeOf(address venue, bytes32 account) external view returns (Place memory) {
        RoundData storage r = _round(venue);
        Context memory c = _context(venue, r);
        return _place(c, r, account, c.exchange.accountWords(account));
    }

    // ---- What a call knows

    function _round(address venue) internal view returns (RoundData storage) {
        Venue storage v = _venues[venue];
        return v.rounds[v.number];
    }

    function _line(RoundData storage r) internal view returns (Line storage) {
        return r.lines[r.round.winners ? 1 : 0];
    }

    function _context(address venue, RoundData storage r) internal view returns (Context memory c) {
        VenueConfig storage config = _venues[venue].config;
        c.exchange = IPerpExchange(venue);
        c.policy = IDeleveragingPolicy(r.round.winners ? config.winnersPolicy : config.policy);
        c.insurance = c.exchange.insuranceAccount();
        c.marketCount = c.exchange.marketCount();
        c.valueScale = c.exchange.valueScale();
        c.sides = r.round.sides;
    }

    /// @dev Longs of a market are side 2 * id, shorts the next.
    function _side(uint256 id, int256 size) private pure returns (uint256) {
        return 2 * id + (size > 0 ? 0 : 1);
    }

    function _opposite(uint256 id, int256 size) private pure returns (uint256) {
        return 2 * id + (size > 0 ? 1 : 0);
    }

    function _isListed(Context memory c, uint256 id, int256 size) private pure returns (bool) {
        return c.sides >> _side(id, size) & 1 != 0;
    }
}
