#!/usr/bin/env python3
"""Follows a Presto or Trino coordinator that moves, by watching quorate.

Needs only Python 3.9 or newer. Copy this file into your application.

    servers = ["http://10.0.0.1:8411", "http://10.0.0.2:8411", "http://10.0.0.3:8411"]
    watch = CoordinatorWatch(servers)
    watch.wait(30).uri     # at the start: blocks until the coordinator is known
    watch.current().uri    # from then on: at once, from memory

The client does not poll: a node of quorate sends the coordinator's address at once, and again
within milliseconds of each move. If the node fails, the client asks the next node. If all nodes
fail, the client keeps the last answer, with the time at which a node last confirmed it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import logging
import random
import socket
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Iterator, Optional, Sequence
from urllib.parse import urlencode, urlsplit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """The last state of the coordinator that a node sent: its address, or that there is none."""

    uri: Optional[str]
    """`http://host:port`; None while the cluster knows no coordinator, with the reason in
    `fields`."""

    fields: dict
    """Everything the node sent: engine, nodeId, pool, location, joinedIndex, properties; or
    reason."""

    server: str = field(compare=False)
    """The node that sent the answer."""

    unconfirmed_since: Optional[float] = None
    """None while a node confirms the answer. Otherwise the time of the last confirmation, as
    `time.time()`: no node has answered since."""


class CoordinatorWatch:
    """Keeps the answer to `GET /v1/coordinator` current, in a thread of its own.

    - `current` never blocks. After the first answer, it never returns None.
    - No call fails during an outage of one node, or of all; `unconfirmed_since` reports it.
    - Between failed attempts there is a pause, which grows from PAUSE_MIN_S to PAUSE_MAX_S.
    """

    SILENCE_S = 10.0
    """Time without data after which a node counts as failed. Nodes send a heartbeat every 3 s."""

    RESPONSE_S = 5.0
    """Timeout for the start of a response. A node begins one within 2 s, even if it is a 503."""

    STEADY_S = 5.0
    """Duration of a stream after which the next node is asked without a pause, so that a failover
    takes no longer than needed."""

    PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 2.0

    LINE_MAX_BYTES = 32 << 20
    """Maximum length of a line: the largest announcement that a node accepts. No line of the stream
    is longer."""

    def __init__(
        self,
        servers: Sequence[str],
        on_change: Optional[Callable[[Answer], None]] = None,
        *,
        engine: Optional[str] = None,
        pool: Optional[str] = None,
    ):
        """Starts watching.

        `engine` is `presto` or `trino`. If `engine` or `pool` is None, any value of it matches.
        `on_change` is called with each new answer on the thread of the watch, and must not block.
        """
        if not servers or any(
            urlsplit(server).scheme not in ("http", "https") for server in servers
        ):
            raise ValueError(
                "servers must be one or more addresses such as http://host:8411, "
                f"not {list(servers)}"
            )
        # Each watch has its own random order, so that the watchers of a failed node spread over the
        # other nodes.
        self._servers = random.sample(list(servers), len(servers))
        asked = {"engine": engine, "pool": pool}
        self._query = "".join(
            "&" + urlencode({name: value}) for name, value in asked.items() if value is not None
        )
        self._on_change = on_change
        self._changed = threading.Condition()
        self._answer: Optional[Answer] = None
        self._trouble = "no server has answered yet"
        self._heard_at = time.time()
        self._closed = threading.Event()
        self._socket: Optional[socket.socket] = None
        # A daemon thread, so that a program that does not close the watch still ends.
        self._thread = threading.Thread(target=self._run, name="coordinator-watch", daemon=True)
        self._thread.start()

    def current(self) -> Optional[Answer]:
        """Returns the last answer at once; None only before the first."""
        return self._answer

    def wait(self, timeout: Optional[float] = None) -> Answer:
        """Waits for a coordinator and returns that answer; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._answer and self._answer.uri, timeout):
                known = self._answer and self._answer.fields.get("reason")
                raise TimeoutError(f"no coordinator after {timeout} s: {known or self._trouble}")
            return self._answer

    def close(self) -> None:
        """Ends the watch. The last answer stays."""
        self._closed.set()
        connected = self._socket
        if connected is not None:
            try:
                # Wakes the thread if it is reading, which close() alone would not do.
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.
        if threading.current_thread() is not self._thread:
            self._thread.join(self.RESPONSE_S)

    def __enter__(self) -> CoordinatorWatch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # ---- The thread of the watch ----------------------------------------------------------------

    def _run(self) -> None:
        """Follows one node after another until the watch is closed."""
        unanswered = brief = 0  # attempts in a row: without an answer, short ones
        for server in itertools.cycle(self._servers):
            began, before = time.monotonic(), self._answer
            try:
                self._follow(server)
            except Exception as error:  # pylint: disable=broad-except
                # No response may end this thread. Without it, current() would return an old answer
                # as if it were confirmed.
                self._trouble = f"{server}: {error or type(error).__name__}"
                log.info("lost %s", self._trouble)
            if self._closed.is_set():
                return
            unanswered = unanswered + 1 if self._answer is before else 0
            if (
                unanswered >= len(self._servers)
                and self._answer
                and not self._answer.unconfirmed_since
            ):
                self._learn(replace(self._answer, unconfirmed_since=self._heard_at))
            brief = brief + 1 if time.monotonic() - began < self.STEADY_S else 0
            if brief and self._closed.wait(self._pause(brief)):
                return

    def _pause(self, brief: int) -> float:
        """Returns the pause in seconds after `brief` short attempts in a row."""
        # Random, so that the watchers do not all connect at once to a node that returns.
        most = min(self.PAUSE_MAX_S, self.PAUSE_MIN_S * 2 ** min(brief - 1, 16))
        return random.uniform(0.5, 1.0) * most

    def _follow(self, server: str) -> None:
        """Reads one node's stream until it ends, and then raises unless the watch is closed."""
        base = urlsplit(server)
        kind = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
        connection = kind(base.hostname, base.port, timeout=self.RESPONSE_S)
        try:
            connection.connect()
            connected = self._socket = connection.sock
            if self._closed.is_set():
                return  # close() was called too early to find the socket.
            path = base.path.rstrip("/") + "/v1/coordinator?watch" + self._query
            connection.request("GET", path, headers={"Accept": "text/event-stream"})
            with connection.getresponse() as response:
                if (
                    response.status != 200
                    or response.headers.get_content_type() != "text/event-stream"
                ):
                    raise ValueError(
                        f"{response.status} {response.read(300).decode(errors='replace').strip()}"
                    )
                connected.settimeout(self.SILENCE_S)
                self._take(server, response)
        finally:
            self._socket = None
            connection.close()

    def _take(self, server: str, response: http.client.HTTPResponse) -> None:
        """Reads the stream of a response, and stores each answer. Always ends with an exception."""
        for name, data in self._events(response):
            fields = json.loads(data)
            if name == "coordinator":
                self._learn(Answer(fields["uri"], fields, server))
            elif name == "none":
                self._learn(Answer(None, {"reason": fields["reason"]}, server))
            elif name == "end":
                raise ValueError(f"the server ended the stream: {fields['reason']}")
        raise ValueError("the stream was interrupted")

    def _events(self, response: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
        """Yields server-sent events, each by name and data. A heartbeat has no data and yields
        nothing."""
        name, data = "message", ""
        while line := response.readline(self.LINE_MAX_BYTES):
            if not line.endswith(b"\n"):
                raise ValueError("a line of the stream is incomplete or too long")
            self._heard_at = time.time()
            key, _, value = line.decode().rstrip("\r\n").partition(":")
            value = value[1:] if value.startswith(" ") else value
            if key == "event":
                name = value
            elif key == "data":
                data = value  # Always one line, so there is nothing to join.
            elif not key and not value:
                if data:
                    yield name, data
                name, data = "message", ""

    def _learn(self, answer: Answer) -> None:
        """Stores an answer, and reports it to `on_change` if it differs from the last one."""
        with self._changed:
            # An equal answer is stored too, because its node confirms it and may be another node.
            is_news, self._answer = answer != self._answer, answer
            self._changed.notify_all()
        if is_news and self._on_change:
            try:
                self._on_change(answer)
            except Exception:  # pylint: disable=broad-except
                # An error of the application does not end the watch.
                log.exception("on_change failed")


def show(answer: Answer) -> None:
    if answer.uri:
        line = f"coordinator {answer.uri} (reported by {answer.server})"
    else:
        line = f"no coordinator: {answer.fields.get('reason')} (reported by {answer.server})"
    if answer.unconfirmed_since:
        since = time.localtime(answer.unconfirmed_since)
        line = time.strftime("unconfirmed since %H:%M:%S: ", since) + line
    print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: coordinator_watch.py http://n1:8411,http://n2:8411,...")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with CoordinatorWatch(sys.argv[1].split(","), on_change=show):
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
