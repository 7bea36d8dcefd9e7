"""An example application as a process, and what it prints."""

from __future__ import annotations

import atexit
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Optional

from fake_node import PATIENCE_S

# `timeout` ends a run as Ctrl-C does: with `atexit`, so that no program is left behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)

EXAMPLES = Path(__file__).resolve().parent.parent


def python_command() -> "list[str]":
    return [sys.executable, "-B", str(EXAMPLES / "python" / "coordinator_watch.py")]


def java_command() -> "Optional[list[str]]":
    """None without a JDK: `examples/test` sets JAVA to one."""
    java = os.environ.get("JAVA") or shutil.which("java")
    # One file, compiled as it starts: a bare runtime cannot, and says so.
    return java and [java, str(EXAMPLES / "java" / "CoordinatorWatch.java")]


class Program:
    """A program that watches `servers`. Its log is kept for a failure; what it prints is taken line
    by line."""

    def __init__(self, command: "list[str]", servers: "list[str]"):
        self._process = subprocess.Popen(
            command + [",".join(servers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        atexit.register(self.kill)
        self._printed: "queue.Queue[str]" = queue.Queue()
        self._transcript: "list[str]" = []
        for stream, lines in (self._process.stdout, self._printed), (self._process.stderr, None):
            threading.Thread(target=self._read, args=[stream, lines], daemon=True).start()

    def _read(self, stream: object, lines: "Optional[queue.Queue[str]]") -> None:
        with stream:
            for line in stream:
                self._transcript.append(line)
                if lines:
                    lines.put(line.rstrip("\n"))

    def next(self, expected: str) -> "re.Match[str]":
        """The next line, which must match: no other line may come before it."""
        line = self._line(time.monotonic() + PATIENCE_S, expected)
        found = re.fullmatch(expected, line)
        if not found:
            raise AssertionError(f"expected {expected!r}, not {line!r}\n{self.transcript()}")
        return found

    def until(self, expected: str) -> "re.Match[str]":
        """The first line that matches, whatever comes before it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = re.fullmatch(expected, self._line(deadline, expected))
            if found:
                return found

    def _line(self, deadline: float, expected: str) -> str:
        try:
            return self._printed.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            code = self._process.poll()
            state = "it still runs" if code is None else f"it has ended with {code}"
            raise AssertionError(
                f"no {expected!r} after {PATIENCE_S} s; {state}\n{self.transcript()}"
            ) from None

    def transcript(self) -> str:
        return "all that it printed and logged:\n" + "".join(self._transcript)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def coordinator(uri: str) -> str:
    """The line of a coordinator at `uri`; its first group is the server that reported it."""
    return rf"coordinator {re.escape(uri)} \(reported by (.*)\)"


def none(reason: str) -> str:
    return rf"no coordinator: {reason} \(reported by (.*)\)"


def unconfirmed(line: str) -> str:
    return r"unconfirmed since \d\d:\d\d:\d\d: " + line
