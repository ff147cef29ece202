"""Headless Chromium over its debugging pipe, with the standard library alone.

Every wait has a limit: a browser that hangs fails the test that asked.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
LIMIT = 60.0
"""Seconds any single wait may take."""

FLAGS = (
    "--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --no-first-run "
    "--disable-dev-shm-usage --disable-extensions --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --mute-audio"
).split()


def executable() -> str | None:
    """Path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._rest, self._count = b"", 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        """Everything the browser reported: method and params."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Answer of a command of the DevTools protocol."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + LIMIT
        while True:
            answer = self._next(end, method)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _next(self, end: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError(f"the browser did not answer within {LIMIT} s: {waiting_for}")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError(f"the browser ended while it was asked: {waiting_for}")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        if "id" not in message:
            self.events.append(message)
        return message

    def open(self, page: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Load a file and wait until its charts in sight are drawn."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.resize(width, height)
        self.call("Page.navigate", url=page.as_uri())
        self.wait("document.readyState === 'complete'")
        self.wait("document.querySelectorAll('.chart svg').length > 0")

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression is true."""
        self.until(lambda: bool(self.run(f"Boolean({condition})")), condition)

    def until(self, met: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + LIMIT
        while not met():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {LIMIT} s: {what}")
            time.sleep(0.05)

    def place(self, element: str) -> tuple[float, float]:
        """Centre of an element (a JavaScript expression), scrolled into sight, in pixels."""
        box = self.run(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def move(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, element: str) -> None:
        """A real click, with the pointer."""
        x, y = self.place(element)
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """A key by its name, "Enter" or " "."""
        code = {"Enter": ("\r", 13), " ": (" ", 32), "Tab": ("", 9)}[key]
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text=code[0] if kind == "keyDown" else "",
                windowsVirtualKeyCode=code[1],
            )

    def requests(self) -> list[str]:
        """Every address asked for so far."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Exceptions, and errors on the console."""
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded"}
        return [json.dumps(e["params"]) for e in self.events if e["method"] in kinds]

    def picture(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Chromium with a fresh profile, ended afterwards whatever happens."""
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()
    arguments = [executable() or "chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]

    # The protocol wants descriptors 3 and 4; a shell puts them there without a fork of our own.
    command = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, *arguments],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(profile)},
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(read, write)
    finally:
        process.kill()
        process.wait(timeout=LIMIT)
        os.close(read)
        os.close(write)
