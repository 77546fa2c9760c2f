"""A headless Chromium, spoken to over two pipes in its DevTools protocol (messages of JSON, each ended by a zero byte)."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DEADLINE_S = float(os.environ.get("ORBRIDGE_TEST_DEADLINE_S", "60"))


def found():
    """Its path, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page. Leaving it ends the browser."""

    def __init__(self, folder):
        # Its helpers may write there to their very end.
        self.profile = tempfile.TemporaryDirectory(prefix="orbridge-browser-", ignore_cleanup_errors=True)
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        # The protocol's ends are the descriptors 3 and 4 there, whatever numbers they have here.
        command = [found(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                   f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe", "about:blank"]
        place = f"import os, sys; os.dup2({to_read}, 100); os.dup2({to_write}, 101); os.dup2(100, 3); os.dup2(101, 4); os.execvp(sys.argv[1], sys.argv[1:])"
        self.log = open(pathlib.Path(folder) / "browser.log", "ab")
        self.process = subprocess.Popen([sys.executable, "-c", place, *command], pass_fds=(to_read, to_write), start_new_session=True, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.count, self.events, self.session = b"", 0, [], None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility", "Network"):
            self.send(f"{domain}.enable")

    def close(self):
        os.close(self.write_end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own, with all its helpers
        self.process.wait()
        os.close(self.read_end)
        self.profile.cleanup()
        self.log.close()

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            readable, _, _ = select.select([self.read_end], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.read_end, 1 << 20) if readable else b""
            if not more:
                raise AssertionError("the browser says nothing: " + pathlib.Path(self.log.name).read_text()[-2000:])
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def send(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params} | ({"sessionId": self.session} if self.session else {})
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.write_end, text):]
        deadline = time.monotonic() + DEADLINE_S
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(json.dumps(result["exceptionDetails"])[:2000])
        return result["result"].get("value")

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def until(self, expression):
        """Asks again and again until it is true, and returns what it is."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"never came true: {expression}\n" + self.evaluate("document.body.innerText"))
            time.sleep(0.02)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def press(self, key):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}
        text = {"Enter": "\r", " ": " "}.get(key)
        common = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": codes[key]}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def focused(self):
        return self.evaluate("document.activeElement.id")

    def tab_to(self, element):
        """By the Tab key alone, as somebody without a mouse."""
        for _ in range(60):
            if self.focused() == element:
                return
            self.press("Tab")
        raise AssertionError(f"the Tab key does not lead to {element}, but to {self.focused()}")

    def controls(self):
        """What a screen reader is told: role and name of everything that can be typed into or pressed."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        roles = {"textbox", "combobox", "checkbox", "spinbutton", "button", "searchbox"}
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes
                if not node.get("ignored") and node.get("role", {}).get("value") in roles]

    def complaints(self):
        """What the console was told of errors, such as breaches of the page's policy."""
        self.evaluate("1")  # whatever came before it is here now
        return [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"
                and event["params"]["entry"]["level"] == "error"] + [
                    json.dumps(event["params"]) for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
