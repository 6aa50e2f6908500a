"""Chromium without a window, driven by DevTools messages over two pipes."""

import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

_BINARIES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_BROWSER = next(filter(None, map(shutil.which, _BINARIES)), None)
_TIMEOUT_S = 60.0
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-pipe",
)


NEEDS_BROWSER = pytest.mark.skipif(
    _BROWSER is None,
    reason="no Chromium or Chrome is installed (apt-get install chromium)",
)


class HeadlessBrowser:
    """One page of a fresh browser; use it as a context manager.

    Attributes:
      errors: console errors and warnings, and uncaught exceptions.
      requests: URLs asked for, without data: and blob:.
    """

    def __init__(self, width: int = 1280, height: int = 900):
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.TemporaryDirectory(prefix="browser-")
        self._buffer, self._count = b"", 0
        self._session, self._loaded = None, False
        # The browser reads commands from 3 and writes replies to 4.
        redirected = 'exec "$@" 3<&0 4>&1 >/dev/null 2>&1'
        profile = f"--user-data-dir={self._profile.name}"
        self._process = subprocess.Popen(
            ["sh", "-c", redirected, "-", _BROWSER, *_SWITCHES, profile],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            target = self.call("Target.createTarget", url="about:blank")
            self._session = self.call(
                "Target.attachToTarget", **target, flatten=True
            )["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "HeadlessBrowser":
        return self

    def __exit__(self, *error) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._profile.cleanup()

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def open(self, page: pathlib.Path) -> None:
        """Opens a file and waits until it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self._loaded:
            self._receive(time.monotonic() + _TIMEOUT_S)

    def evaluate(self, expression: str) -> object:
        """The JSON value of a JavaScript expression; promises are awaited."""
        reply = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in reply:
            raise AssertionError(json.dumps(reply["exceptionDetails"]))
        return reply["result"].get("value")

    def move_mouse(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        left = {"x": x, "y": y, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **left)

    def screenshot(self, clip: dict) -> bytes:
        """PNG of `clip`: x, y, width, height of the page."""
        reply = self.call(
            "Page.captureScreenshot",
            clip={**clip, "scale": 1},
            captureBeyondViewport=True,
        )
        return base64.b64decode(reply["data"])

    def call(self, method: str, **params) -> dict:
        """Sends one command and returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        command = json.dumps(message).encode() + b"\0"
        os.write(self._process.stdin.fileno(), command)
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            reply = self._receive(deadline)
            if reply.get("id") == self._count:
                if "error" in reply:
                    raise AssertionError(f"{method}: {reply['error']}")
                return reply["result"]

    def _receive(self, deadline: float) -> dict:
        replies = self._process.stdout.fileno()
        while b"\0" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([replies], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(replies, 1 << 20)
            if not chunk:
                raise EOFError("the browser has ended")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict) -> None:
        match method, params:
            case "Page.loadEventFired", _:
                self._loaded = True
            case "Runtime.exceptionThrown", {"exceptionDetails": error}:
                self.errors.append(json.dumps(error))
            case "Runtime.consoleAPICalled", {
                "type": "error" | "warning" | "assert",
                "args": told,
            }:
                self.errors.append(json.dumps(told))
            case "Log.entryAdded", {
                "entry": {"level": "error" | "warning", "text": text}
            }:
                self.errors.append(text)
            case "Network.requestWillBeSent", {"request": {"url": url}}:
                if not url.startswith(("data:", "blob:")):
                    self.requests.append(url)
