"""Chromium without a window, driven by DevTools messages over two pipes."""

import base64
import json
import os
import pathlib
import select
import shutil
import signal
import tempfile
import time

import pytest

_BINARIES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TIMEOUT_S = 60.0
# Nothing but the page under test may ask for anything.
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-pipe",
)


def find_browser() -> str | None:
    """Path of an installed Chromium or Chrome; None without one."""
    return next(filter(None, map(shutil.which, _BINARIES)), None)


NEEDS_BROWSER = pytest.mark.skipif(
    find_browser() is None,
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
        self._profile = tempfile.mkdtemp(prefix="browser-")
        self._buffer, self._count = b"", 0
        self._loaded = False
        commands, self._write = os.pipe()
        self._read, replies = os.pipe()
        binary = find_browser()
        self._pid = os.posix_spawn(
            binary,
            [binary, *_SWITCHES, f"--user-data-dir={self._profile}"],
            os.environ,
            file_actions=[
                # The browser reads commands from 3 and writes replies to 4;
                # 30 and 31 keep the one from overwriting the other.
                (os.POSIX_SPAWN_DUP2, commands, 30),
                (os.POSIX_SPAWN_DUP2, replies, 31),
                (os.POSIX_SPAWN_DUP2, 30, 3),
                (os.POSIX_SPAWN_DUP2, 31, 4),
                (os.POSIX_SPAWN_CLOSE, 30),
                (os.POSIX_SPAWN_CLOSE, 31),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
        )
        os.close(commands)
        os.close(replies)
        try:
            self._attach()
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")
        self._session = self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "HeadlessBrowser":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme"}
        scheme["value"] = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, page: pathlib.Path | str) -> None:
        """Opens a file or a URL and waits until it is loaded."""
        self._loaded = False
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=url)
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
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                clickCount=1,
            )

    def screenshot(self, clip: dict | None = None) -> bytes:
        """PNG of the window, or of `clip`: x, y, width, height of the page."""
        options = {}
        if clip:
            options = {"clip": {**clip, "scale": 1}}
            options["captureBeyondViewport"] = True
        reply = self.call("Page.captureScreenshot", **options)
        return base64.b64decode(reply["data"])

    def call(self, method: str, **params) -> dict:
        """Sends one command and returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            reply = self._receive(deadline)
            if reply.get("id") == self._count:
                if "error" in reply:
                    raise AssertionError(f"{method}: {reply['error']}")
                return reply["result"]

    def _receive(self, deadline: float) -> dict:
        while b"\0" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise EOFError("the browser has ended")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            if params["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded":
            if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("data:", "blob:")):
                self.requests.append(url)
