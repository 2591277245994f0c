"""What `harness compare` says of remedies that are named twice, or that change nothing."""

from __future__ import annotations

from harness.cli import main

CALM = ["compare", "calm", "--set", "clock.blocks=2", "-q", "--mitigations"]


def test_a_remedy_named_twice_is_refused_before_anything_is_written(tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*CALM, "full-close,depth-cap,full-close", "--out", str(out)]) == 2
    assert capsys.readouterr().err == "harness: --mitigations = 'full-close': each once\n"
    assert not out.exists()


def test_a_remedy_that_changes_nothing_here_is_named_in_a_warning(tmp_path, capsys):
    words = [word for word in CALM if word != "-q"]
    main([*words, "adl-bitmex,full-close", "--out", str(tmp_path / "out")])
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == ["harness: adl-bitmex changes nothing in calm"]
