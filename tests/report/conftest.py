"""Runs to report on, and a headless browser to look at their reports with."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.report import report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE_S = 30


class Browser:
    """A headless Chromium, spoken to over its debugging pipe: no port, no driver, no network."""

    def __init__(self, program: str, profile: Path) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        os.close(theirs_in)
        os.close(theirs_out)

        def place() -> None:
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(3, 4),
            preexec_fn=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in high:
            os.close(fd)
        self._in, self._out = ours_in, ours_out
        self._ids = itertools.count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._send(f"{domain}.enable")

    _session = None

    def close(self) -> None:
        """Ends the browser."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, path: Path, *, width: int, height: int = 900) -> None:
        """Shows a file in a window of this size."""
        self.resize(width, height)
        self.events.clear()
        self._send("Page.navigate", url=path.resolve().as_uri())
        self._wait_for("Page.loadEventFired")

    def resize(self, width: int, height: int = 900) -> None:
        """Makes the window this large."""
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def emulate(self, media: str = "", **features: str) -> None:
        """Shows the page as for print, or as a user with these preferences sees it."""
        listed = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self._send("Emulation.setEmulatedMedia", media=media, features=listed)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Presses a key."""
        for kind in ("keyDown", "keyUp"):
            self._send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text="\r" if key == "Enter" and kind == "keyDown" else "",
            )

    def screenshot(self, target: Path, *, top: int = 0, height: int = 0) -> None:
        """A picture of the page, or of a part of it that is as wide as the window."""
        size = self._send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": top,
            "width": self.evaluate("innerWidth"),
            "height": height or size["height"],
            "scale": 1,
        }
        shot = self._send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        target.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, target: Path) -> None:
        """The page as it prints."""
        target.write_bytes(
            base64.b64decode(self._send("Page.printToPDF", preferCSSPageSize=True)["data"])
        )

    def accessibility(self) -> list[dict[str, Any]]:
        """The accessibility tree, as a screen reader is given it."""
        nodes: list[dict[str, Any]] = self._send("Accessibility.getFullAXTree")["nodes"]
        return nodes

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], deadline - time.monotonic())
            assert ready, f"the browser said nothing for {_PATIENCE_S} s"
            piece = os.read(self._in, 1 << 16)
            assert piece, "the browser has gone away"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; skips where there is none."""
    named = os.environ.get("HARNESS_BROWSER")
    program = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in HARNESS_BROWSER")
    opened = Browser(program, tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


def _run(folder: Path, *arguments: str) -> Path:
    main(["run", *arguments, "--out", str(folder), "--quiet"])
    return folder


@pytest.fixture(scope="session")
def dominoes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with five waves, failures, insolvency and texts full of markup."""
    folder = tmp_path_factory.mktemp("runs") / "dominoes"
    return _run(folder, str(Path(__file__).parent / "dominoes.toml"), "--seed", "3")


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which nothing happens and nothing should."""
    return _run(tmp_path_factory.mktemp("runs") / "calm", "calm", "--set", "clock.blocks=30")


@pytest.fixture(scope="session")
def vacuous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which nothing happens although something should; of a single block."""
    folder = tmp_path_factory.mktemp("runs") / "vacuous"
    return _run(folder, "calm", "--set", "clock.blocks=1", "--set", "expect=liquidations")


@pytest.fixture(scope="session", params=["dominoes", "calm", "vacuous"])
def page(request: pytest.FixtureRequest) -> Path:
    """The page of each of these runs."""
    return report(request.getfixturevalue(request.param))
