// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EngineProbe
/// @notice Exercises what an engine must agree on: storage, returns, events of every shape, every way to fail,
/// transient storage, the block's number and time, nested calls and creation. Used by the engine conformance
/// kit and the parity tests; holds nothing of value.
contract EngineProbe {
    /// @notice A custom error with arguments of a static and a dynamic type.
    error Refused(address caller, uint256 code, string reason);

    event Anonymous0(uint256 value) anonymous;
    event Plain(uint256 value);
    event Indexed1(uint256 indexed a, bytes data);
    event Indexed3(uint256 indexed a, address indexed b, bytes32 indexed c);
    event Empty();
    event Deposited(address indexed account, uint256 number, uint256 timestamp);

    /// @notice Slot 0. Incremented by `bump`, also by failing calls, whose change must vanish.
    uint256 public counter;

    /// @notice Slot 1: written by `write`.
    mapping(uint256 key => uint256 value) public stored;

    /// @notice Slot 2.
    bytes public blob;

    /// @notice Slot 3: number of the last block a transaction wrote, in the low half; its time in the high half.
    uint256 public stamp;

    uint256 private constant TRANSIENT_SLOT = 7;

    // Storage and returns

    function bump(uint256 by) external returns (uint256) {
        counter += by;
        emit Plain(counter);
        return counter;
    }

    function write(uint256 key, uint256 value) external {
        stored[key] = value;
    }

    function setBlob(bytes calldata value) external returns (bytes memory) {
        blob = value;
        return value;
    }

    function echo(bytes calldata value) external pure returns (bytes memory) {
        return value;
    }

    /// @notice Nothing returned, nothing logged, nothing written.
    function nothing() external {}

    function clear() external {
        delete counter;
        delete blob;
        delete stamp;
    }

    // Context

    function context() external view returns (address caller, uint256 chainId, uint256 number, uint256 timestamp) {
        return (msg.sender, block.chainid, block.number, block.timestamp);
    }

    function markBlock() external {
        stamp = (block.timestamp << 128) | block.number;
        emit Deposited(msg.sender, block.number, block.timestamp);
    }

    // Events

    function logAll(uint256 seed, bytes calldata data) external {
        emit Anonymous0(seed);
        emit Plain(seed);
        emit Indexed1(seed, data);
        emit Indexed3(seed, msg.sender, keccak256(data));
        emit Empty();
    }

    // Failures: each one first writes and logs, which must leave no trace

    function failCustom(uint256 code, string calldata reason) external {
        counter += 1;
        emit Plain(code);
        revert Refused(msg.sender, code, reason);
    }

    function failString() external {
        counter += 1;
        revert("refused");
    }

    function failEmpty() external {
        counter += 1;
        revert();
    }

    function failAssert() external {
        counter += 1;
        assert(counter == 0);
    }

    function failOverflow(uint256 a, uint256 b) external returns (uint256) {
        counter += 1;
        return a + b;
    }

    function failDivide(uint256 a, uint256 b) external returns (uint256) {
        counter += 1;
        return a / b;
    }

    function failIndex(uint256 index) external returns (uint256) {
        counter += 1;
        uint256[] memory values = new uint256[](2);
        return values[index];
    }

    function failInvalid() external {
        counter += 1;
        assembly ("memory-safe") {
            invalid()
        }
    }

    /// @notice Creates a contract out of an opcode no fork defines, and halts because that failed.
    function failUndefined() external {
        counter += 1;
        assembly ("memory-safe") {
            mstore(0, shl(248, 0x0c))
            if iszero(create(0, 0, 1)) { invalid() }
        }
    }

    function failLarge(uint256 length) external {
        counter += 1;
        bytes memory reason = new bytes(length);
        for (uint256 i; i < length; i += 32) {
            assembly ("memory-safe") {
                mstore(add(add(reason, 0x20), i), not(i))
            }
        }
        assembly ("memory-safe") {
            revert(add(reason, 0x20), length)
        }
    }

    // Transient storage

    /// @notice Adds to a transient word and returns it: it must start every transaction at zero.
    function addTransient(uint256 by) public returns (uint256 value) {
        assembly ("memory-safe") {
            value := add(tload(TRANSIENT_SLOT), by)
            tstore(TRANSIENT_SLOT, value)
        }
        emit Plain(value);
    }

    function getTransient() external view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(TRANSIENT_SLOT)
        }
    }

    /// @notice Adds twice, once in a call that fails: the failed addition must vanish, the other stay.
    function nestTransient(uint256 by) external returns (uint256) {
        addTransient(by);
        try this.addTransientAndFail(by) {} catch {}
        uint256 value = addTransient(0);
        counter = value;
        return value;
    }

    function addTransientAndFail(uint256 by) external {
        addTransient(by);
        revert Refused(msg.sender, by, "nested");
    }

    // Calls and creation

    /// @notice Calls itself, swallows the failure, reports it.
    function swallow(bytes calldata data) external returns (bool ok, bytes memory result) {
        counter += 1;
        (ok, result) = address(this).call(data);
        emit Indexed1(ok ? 1 : 0, result);
    }

    /// @notice Runs out of gas in an inner call; the outer one goes on.
    function starve(uint256 gasLimit) external returns (bool ok) {
        counter += 1;
        (ok,) = address(this).call{gas: gasLimit}(abi.encodeCall(this.spin, ()));
        emit Plain(ok ? 1 : 0);
    }

    /// @notice Never ends by itself.
    function spin() external {
        for (;;) {
            counter += 1;
        }
    }

    /// @notice Results of the precompiled contracts.
    function precompiles(bytes calldata data)
        external
        view
        returns (bytes32 sha, bytes20 ripe, address signer, bytes memory copy, bytes memory power)
    {
        sha = sha256(data);
        ripe = ripemd160(data);
        signer = ecrecover(sha, 27, bytes32(uint256(1)), bytes32(uint256(2)));
        (, copy) = address(4).staticcall(data);
        (, power) = address(5).staticcall(abi.encode(32, 32, 32, uint256(sha), 65537, type(uint256).max - 188));
    }

    /// @notice Creates a contract whose code is `runtime`, with CREATE2.
    function create2(bytes32 salt, bytes calldata runtime) external returns (address created) {
        bytes memory code = runtime;
        // PUSH2 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN, then padding up to offset 11.
        bytes memory initcode = abi.encodePacked(hex"61", uint16(code.length), hex"80600b5f395ff300", code);
        assembly ("memory-safe") {
            created := create2(0, add(initcode, 0x20), mload(initcode), salt)
        }
        if (created == address(0)) revert Refused(msg.sender, code.length, "create2");
        emit Deposited(created, block.number, block.timestamp);
    }

    function codeOf(address account) external view returns (bytes memory) {
        return account.code;
    }

    /// @notice Burns gas with storage reads and hashes; returns a value that depends on each of them.
    function work(uint256 rounds) external view returns (uint256 value) {
        value = counter;
        for (uint256 i; i < rounds; ++i) {
            value = uint256(keccak256(abi.encode(value, stored[i])));
        }
    }

    // A minimal ledger, so that parity needs no other contract

    mapping(address account => uint256 amount) public balanceOf;

    error InsufficientBalance(uint256 available, uint256 needed);

    event Moved(address indexed from, address indexed to, uint256 amount);

    function credit(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Moved(address(0), to, amount);
    }

    function move(address to, uint256 amount) external returns (bool) {
        uint256 available = balanceOf[msg.sender];
        if (available < amount) revert InsufficientBalance(available, amount);
        unchecked {
            balanceOf[msg.sender] = available - amount;
        }
        balanceOf[to] += amount;
        emit Moved(msg.sender, to, amount);
        return true;
    }
}
