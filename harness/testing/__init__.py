"""What a test suite can use: conformance kits for the plug points, and invariants."""
