#!/usr/bin/env python3
"""Tests both example applications on a real cluster of three nodes, for `examples/test`.

Usage: on_a_cluster.py DIR PORT [OPTION OF scripts/cluster.sh up...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_node import PATIENCE_S  # noqa: E402
from program import (  # noqa: E402
    EXAMPLES,
    Program,
    coordinator,
    java_command,
    none,
    python_command,
    unconfirmed,
)

START_LIMIT_S = 1500.0
"""Time limit of `cluster.sh up`, which may have to build the product."""


class Cluster:
    def __init__(self, directory: str, port: int, options: "list[str]"):
        self._directory = directory
        self.urls = [f"http://127.0.0.1:{port + i}" for i in range(3)]
        # The announcements are not renewed and must not expire during a slow run.
        options = ["--port", str(port), "--set", "discovery.max-age=1h", *options]
        self._script("up", "3", *options, limit_s=START_LIMIT_S)

    def _script(self, *arguments: str, limit_s: float = 4 * PATIENCE_S) -> None:
        script = EXAMPLES.parent / "scripts" / "cluster.sh"
        command = [str(script), *arguments, "--dir", self._directory]
        done = subprocess.run(
            command, timeout=limit_s, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
            )

    def kill(self, url: str) -> None:
        self._script("kill", str(self.urls.index(url) + 1))

    def restart(self, url: str) -> None:
        self._script("restart", str(self.urls.index(url) + 1))

    def ready(self) -> None:
        for url in self.urls:
            self._until_ok("GET", f"{url}/v1/cluster/ready")

    def announce(self, node: str, uri: str, first: str) -> None:
        service = {
            "id": f"00000000-0000-4000-8000-0000000000{int(node[1:]):02}",
            "type": "trino-coordinator",
            "properties": {"http": uri},
        }
        body = {
            "environment": "test",
            "pool": "general",
            "location": f"/{node}",
            "services": [service],
        }
        self._until_ok("PUT", f"{first}/v1/announcement/{node}", body)

    def withdraw(self, node: str, first: str) -> None:
        self._until_ok("DELETE", f"{first}/v1/announcement/{node}")

    @staticmethod
    def _until_ok(method: str, url: str, body: object = None) -> None:
        """Repeats the request until it succeeds: electing a leader takes the cluster under a
        second."""
        data = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            request = urllib.request.Request(
                url, data, {"Content-Type": "application/json"}, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S):
                    return
            except OSError as error:
                text = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
                if time.monotonic() > deadline:
                    raise AssertionError(f"{method} {url}: {error} {text}") from error
                time.sleep(0.1)


def passed(what: str) -> None:
    print(f"PASS  {what}", flush=True)


def check(cluster: Cluster, programs: "dict[str, Program]") -> None:
    moves = 0

    def move(through: str) -> str:
        """Announces a coordinator under a new node id. The previous coordinators stay listed, as if
        they had been killed."""
        nonlocal moves
        moves += 1
        uri = f"http://10.0.0.{moves}:8080"
        cluster.announce(f"c{moves}", uri, through)
        return uri

    for program in programs.values():
        program.next(none(".+"))
    passed("no coordinator yet: both report it, with the reason")

    for _ in range(2):
        uri = move(cluster.urls[0])
        watched = {name: program.next(coordinator(uri))[1] for name, program in programs.items()}
    passed(
        "both print each move to the newest coordinator, although the previous one is still listed"
    )

    for name, program in programs.items():
        down = watched[name]
        cluster.kill(down)
        uri = move(next(url for url in cluster.urls if url != down))
        watched = {name: program.next(coordinator(uri))[1] for name, program in programs.items()}
        if down in watched.values():
            raise AssertionError(f"{down} was killed and is still watched: {watched}")
        passed(f"the node that {name} watches is killed: both see the next move, and nothing else")
        cluster.restart(down)
        cluster.ready()

    for url in cluster.urls:
        cluster.kill(url)
    # The nodes are killed one after the other. In between, a program may lose its stream and open
    # one on a node that is still alive, so other lines may precede this one.
    for program in programs.values():
        program.until(unconfirmed(coordinator(uri)))
    passed("all three are killed: the last answer stays, marked as unconfirmed")

    for url in cluster.urls:
        cluster.restart(url)
    cluster.ready()
    for program in programs.values():
        program.until(coordinator(uri))
    passed("all three are back: both report the answer as confirmed")

    uri = move(cluster.urls[1])
    for program in programs.values():
        program.next(coordinator(uri))
    passed("both see the next move")

    for i in range(moves, 1, -1):
        cluster.withdraw(f"c{i}", cluster.urls[2])
        for program in programs.values():
            program.next(coordinator(f"http://10.0.0.{i - 1}:8080"))
    cluster.withdraw("c1", cluster.urls[2])
    for name, program in programs.items():
        program.next(none(".+"))
        if not program.is_running():
            raise AssertionError(f"{name} has exited\n{program.transcript()}")
    passed(
        "coordinators withdraw, the newest first: both fall back to the previous one, then to none"
    )


def main() -> None:
    cluster = Cluster(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
    programs = {}
    try:
        for name, command in ("Python", python_command()), ("Java", java_command()):
            if command is None:
                sys.exit("no java on the PATH: set JAVA to the java of a JDK")
            programs[name] = Program(command, cluster.urls)
        check(cluster, programs)
    except AssertionError as error:
        sys.exit(f"FAIL  {error}")
    finally:
        for program in programs.values():
            program.kill()


if __name__ == "__main__":
    main()
