"""A fake node that a test controls. It serves only the part of quorate's protocol that a watch of
the coordinator uses."""

from __future__ import annotations

import json
import queue
import socket
import threading
from typing import Optional

PATIENCE_S = 30.0
"""Time that a test waits for an event before it fails. It is long because the machine may be busy.
A test that passes never waits this long."""


class Stream:
    """One stream that a client has requested from a fake node. The test decides what it sends."""

    def __init__(self, node: FakeNode, connection: socket.socket, target: str):
        self.node = node
        self.target = target
        self._connection = connection
        self._index = 1000

    def coordinator(self, uri: str, **fields: object) -> None:
        # Contains a number, and a nested object with another field `uri`, which a client must not
        # take for the address.
        known = {
            "uri": uri,
            "engine": "trino",
            "nodeId": "c1",
            "joinedIndex": 12,
            "properties": {"uri": "http://wrong:1"},
        }
        self.event("coordinator", {**known, **fields})

    def none(self, reason: str) -> None:
        self.event("none", {"reason": reason})

    def end(self, reason: str) -> None:
        """Sends the event `end` and leaves the connection open, which the client has to close."""
        self.event("end", {"reason": reason})

    def event(self, name: str, data: object) -> None:
        self._index += 1
        self.raw(f"event: {name}\nid: 5f0c6a1e9d7b2c44:{self._index}\ndata: {json.dumps(data)}\n\n")

    def heartbeat(self) -> None:
        self.raw(f"id: 5f0c6a1e9d7b2c44:{self._index}\n\n")

    def raw(self, text: str) -> None:
        body = text.encode(errors="surrogatepass")
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(body), body))

    def close(self) -> None:
        self.node.drop(self._connection)

    def wait_gone(self) -> None:
        """Waits until the client has closed the connection."""
        self._connection.settimeout(PATIENCE_S)
        try:
            while self._connection.recv(4096):
                pass
        except ConnectionError:
            pass


class FakeNode:
    """A server on a port of its own. It keeps the port while it is stopped, so that connections are
    refused.

    Each requested stream is put into the queue `streams`, from which the test takes it. Several
    nodes may share a queue.
    """

    def __init__(self, streams: "queue.Queue[Stream]"):
        self.streams = streams
        self.refusal: Optional[str] = None
        """If set, each request is refused with status 503 and this text."""
        self.refused: "queue.Queue[str]" = queue.Queue()
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._listener = self._bind(0)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @staticmethod
    def _bind(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return listener

    def start(self) -> FakeNode:
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()
        return self

    def stop(self) -> None:
        """Breaks every connection and refuses new ones, as after kill -9."""
        with self._lock:
            self._break(self._listener)
            connections, self._connections = self._connections, []
            self._listener = self._bind(self.port)
        for connection in connections:
            self._break(connection)

    def close(self) -> None:
        self.stop()
        self._listener.close()

    def drop(self, connection: socket.socket) -> None:
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)
        self._break(connection)

    @staticmethod
    def _break(connection: socket.socket) -> None:
        try:
            # Wakes accept() and recv(), which close() alone would not do.
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if listener is not self._listener:
                    connection.close()
                    return
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        try:
            while b"\r\n\r\n" not in head:
                part = connection.recv(4096)
                if not part:
                    return self.drop(connection)
                head += part
            target = head.split(b" ", 2)[1].decode()
            if self.refusal is not None:
                body = self.refusal.encode() + b"\n"
                connection.sendall(
                    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                    b"Retry-After: 1\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
                self.drop(connection)
                self.refused.put(target)
                return None
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
        except OSError:
            return self.drop(connection)
        with self._lock:
            # After stop() the stream is broken already, and the test must not get it.
            if connection in self._connections:
                self.streams.put(Stream(self, connection, target))
        return None
