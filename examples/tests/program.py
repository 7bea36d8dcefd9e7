"""Runs an example application as a process, and reads the lines that it prints."""

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

# SIGTERM, which `timeout` sends, ends a run like Ctrl-C does: `atexit` functions run and kill the
# started programs.
signal.signal(signal.SIGTERM, signal.default_int_handler)

EXAMPLES = Path(__file__).resolve().parent.parent


def python_command() -> "list[str]":
    return [sys.executable, "-B", str(EXAMPLES / "python" / "coordinator_watch.py")]


def java_command() -> "Optional[list[str]]":
    """Returns the command of the Java application, or None without Java. `examples/test` sets
    JAVA."""
    java = os.environ.get("JAVA") or shutil.which("java")
    # Java compiles a single source file when it starts it. This needs a JDK: a bare runtime fails
    # with an error.
    return java and [java, str(EXAMPLES / "java" / "CoordinatorWatch.java")]


class Program:
    """A running program that watches `servers`. The test reads its output line by line. Its output
    and log are kept for the message of a failure."""

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
        """Returns the next line, which must match `expected`."""
        line = self._line(time.monotonic() + PATIENCE_S, expected)
        found = re.fullmatch(expected, line)
        if not found:
            raise AssertionError(f"expected {expected!r}, not {line!r}\n{self.transcript()}")
        return found

    def until(self, expected: str) -> "re.Match[str]":
        """Skips lines until one matches `expected`, and returns the match."""
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
    """Returns the pattern of the line for a coordinator at `uri`. Its first group is the server
    that reported it."""
    return rf"coordinator {re.escape(uri)} \(reported by (.*)\)"


def none(reason: str) -> str:
    return rf"no coordinator: {reason} \(reported by (.*)\)"


def unconfirmed(line: str) -> str:
    return r"unconfirmed since \d\d:\d\d:\d\d: " + line
