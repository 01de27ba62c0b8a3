"""Debian's Chromium without a window, driven by its own protocol (CDP) over a pipe.

No driver and no library is needed: messages are JSON, parted by NUL bytes.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--hide-scrollbars",
    "--no-first-run",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
]  # fmt: skip
PATIENCE_S = 240.0
BAD = ("error", "warning")
MOST_TEXT = 500
KEYS = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
        "PageUp": 33, "PageDown": 34, " ": 32}  # fmt: skip


class Browser:
    """A running Chromium; a context manager."""

    def __init__(self, width: int = 1400, height: int = 900) -> None:
        self.profile = tempfile.mkdtemp(prefix="otosynth-chromium-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        assert CHROMIUM
        window = f"--window-size={width},{height}"
        command = [CHROMIUM, *FLAGS, window, f"--user-data-dir={self.profile}", "about:blank"]
        # Chromium reads from descriptor 3 and writes to 4.
        shell = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "_", *command]
        self.process = subprocess.Popen(
            shell, pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        answer = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    session: str | None = None

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], patience_s)[0], "Chromium does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "Chromium is gone"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        parsed = json.loads(message)
        if "method" in parsed:
            self.events.append(parsed)
        return parsed

    def open(self, url: str, *, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Open a page in a window of this size and theme, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        # From an empty page, since another place in the same page would load nothing.
        self.call("Page.navigate", url="about:blank")
        self.wait_for("location.href === 'about:blank'")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, patience_s: float = PATIENCE_S) -> Any:
        """Wait until an expression is true; returns its value."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if found := self.value(expression):
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {patience_s} s: {expression}; {self.problems()}")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        text = {"Enter": "\r", " ": " "}.get(key)
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=KEYS[key],
                      modifiers=8 if shift else 0, **more)  # fmt: skip

    def click(self, x: float, y: float) -> None:
        """Click a point of the window (CSS pixels)."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1,
                      buttons=1 if kind == "mousePressed" else 0)  # fmt: skip

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole of a short page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def screenshots(self, stem: Path) -> None:
        """Write a long page window by window, as PNGs that are numbered from 1."""
        height, page = self.value("[innerHeight, document.documentElement.scrollHeight]")
        for number in range(-(-page // height)):
            self.value(f"scrollTo(0, {number * height})")
            self.screenshot(stem.with_name(f"{stem.name}-{number + 1}.png"))

    def problems(self) -> list[str]:
        """Return the errors and warnings that the page has told the console since it was opened."""
        self.call("Runtime.evaluate", expression="0")
        found = []
        for event in self.events:
            facts = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(facts["exceptionDetails"])[:MOST_TEXT])
            if event["method"] == "Runtime.consoleAPICalled" and facts["type"] in BAD:
                words = [str(a.get("value", a.get("description"))) for a in facts["args"]]
                found.append(" ".join(words)[:MOST_TEXT])
            if event["method"] == "Log.entryAdded" and facts["entry"]["level"] in BAD:
                found.append(facts["entry"]["text"][:MOST_TEXT])
        return found

    def requests(self) -> list[str]:
        """Return the URLs that the page has asked for since it was opened, but those in itself."""
        self.call("Runtime.evaluate", expression="0")
        asked = [event["params"]["request"]["url"] for event in self.events
                 if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
        return [url for url in asked if not url.startswith(("data:", "blob:"))]
