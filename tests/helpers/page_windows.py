"""The playground in a window of a real browser: Chromium by Playwright, Firefox by Marionette."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ATOMS = ("R", "U1", "U2", "S")
READY = "window.playground && document.getElementById('table').firstChild"


class Student:
    """A browser window on the page, with all that went wrong in it."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page = page
        self.file = file
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(8000)
        page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, hash_: str = "") -> Student:
        """Load afresh."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.file.as_uri()}{'#' + hash_ if hash_ else ''}")
        self.wait(READY)
        self.settle()
        return self

    def go(self, hash_: str) -> None:
        """Follow a link to another state of the loaded page."""
        self.page.evaluate("(hash) => { location.hash = hash; }", hash_)
        self.settle()

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Until it is true; asked from outside, as the page's own policy forbids `eval`."""
        until = time.monotonic() + seconds
        while not self.page.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < until, expression
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait for the next frame, when a change is drawn."""
        self.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))")

    def slide(self, name: str, value: float) -> None:
        """Move a slider as its own events would."""
        self.page.locator(f"#{name}").evaluate(
            "(e, x) => { e.value = x; e.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )
        self.settle()

    def click(self, selector: str) -> None:
        """Click and see it drawn."""
        self.page.locator(selector).click()
        self.settle()

    def text(self, selector: str) -> str:
        """What an element shows."""
        return str(self.page.locator(selector).inner_text())

    def state(self) -> dict[str, Any]:
        """The page's state."""
        state: dict[str, Any] = self.page.evaluate("playground.state()")
        return state

    def atoms(self) -> list[float] | None:
        """R, U1, U2, S in bits as the page has them; None where it has none."""
        found = self.page.evaluate(
            "() => { const a = playground.atoms(); return a && [a.R, a.U1, a.U2, a.S]; }"
        )
        return [float(x) for x in found] if found else None

    def legend(self) -> list[str]:
        """The four numbers shown."""
        return [self.text(f"#legend-{name} b") for name in ATOMS]

    def bar(self, name: str) -> float:
        """Width in pixels of a part of the main bar, 0 where it is not drawn."""
        return float(self.rect(f"#bars .main .bar .part.{name}")["width"])

    def rect(self, selector: str) -> dict[str, float]:
        """Left, top, width, height and so on in pixels of the first such element."""
        found: dict[str, float] = self.page.evaluate(
            "(s) => document.querySelector(s).getBoundingClientRect().toJSON()", selector
        )
        return found

    def reach(self, selector: str, most: int = 150) -> None:
        """Press Tab until such an element has the focus."""
        for _ in range(most):
            if self.page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by {most} times Tab")

    def press(self, *keys: str) -> None:
        """Press keys and see what they did."""
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()


class Firefox:
    """A headless Firefox, driven over its own remote protocol (Marionette).

    A message is its length in bytes, a colon and JSON: [0, number, command, parameters] there,
    [1, number, error, result] back (Mozilla, "Marionette protocol").
    """

    def __init__(self, program: str, profile: Path, seconds: float = 60) -> None:
        port = free_port()
        preferences = {
            "marionette.port": port,
            "browser.shell.checkDefaultBrowser": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "app.update.enabled": False,
        }
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items())
        (profile / "user.js").write_text("\n".join(lines), "utf-8")
        options = ["--headless", "--marionette", "--no-remote", "--profile", str(profile)]
        self._process = subprocess.Popen(  # noqa: S603 - an installed browser, with our own options
            [program, *options, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._buffer = b""
        self._count = 0
        self._socket = self._connect(port, time.monotonic() + seconds)
        self._read()  # its greeting
        self._call("WebDriver:NewSession", capabilities={"alwaysMatch": {}})

    def _connect(self, port: int, until: float) -> socket.socket:
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=60)
            except OSError:
                assert self._process.poll() is None, "Firefox ended"
                assert time.monotonic() < until, "Firefox does not answer"
                time.sleep(0.1)

    def _read(self) -> Any:
        while b":" not in self._buffer:
            self._receive()
        size, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(size):
            self._receive()
        message, self._buffer = self._buffer[: int(size)], self._buffer[int(size) :]
        return json.loads(message)

    def _receive(self) -> None:
        received = self._socket.recv(65536)
        assert received, "Firefox closed the connection"
        self._buffer += received

    def _call(self, command: str, **parameters: Any) -> Any:
        self._count += 1
        message = json.dumps([0, self._count, command, parameters]).encode()
        self._socket.sendall(f"{len(message)}:".encode() + message)
        _, number, error, result = self._read()
        assert number == self._count
        assert error is None, error["message"]
        return result

    def run(self, script: str, *values: Any) -> Any:
        """What a function body returns in the page; `values` are its `arguments`."""
        found = self._call(
            "WebDriver:ExecuteScript", script=script, args=list(values), sandbox=None
        )
        return found["value"]

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Until it is true."""
        until = time.monotonic() + seconds
        while not self.run(f"return Boolean({expression})"):
            assert time.monotonic() < until, expression
            time.sleep(0.05)

    def open(self, file: Path, hash_: str = "") -> None:
        """Load the page afresh, and wait until it has drawn."""
        self._call("WebDriver:Navigate", url="about:blank")
        self._call("WebDriver:Navigate", url=f"{file.as_uri()}{'#' + hash_ if hash_ else ''}")
        self.wait(READY)
        self.frame()

    def frame(self) -> None:
        """Wait until what changed is drawn."""
        self._call(
            "WebDriver:ExecuteAsyncScript",
            script="requestAnimationFrame(() => setTimeout(arguments[0], 0, 1))",
            args=[],
            sandbox=None,
        )

    def press(self, selector: str, keys: str) -> None:
        """Type into an element."""
        found = self._call("WebDriver:FindElement", using="css selector", value=selector)["value"]
        (element,) = found.values()
        self._call("WebDriver:ElementSendKeys", id=element, text=keys)
        self.frame()

    def resize(self, width: int, height: int) -> None:
        """Set the window's outer size in CSS pixels."""
        self._call("WebDriver:SetWindowRect", width=width, height=height)
        self.frame()

    def close(self) -> None:
        """End this Firefox."""
        try:
            self._call("Marionette:Quit", flags=["eForceQuit"])
        finally:
            self._socket.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def installed(names: Sequence[str]) -> str | None:
    """The first of these programs that is installed."""
    return next((path for name in names if (path := shutil.which(name))), None)
