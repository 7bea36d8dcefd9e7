"""Tests of both example applications, run as programs, against fake nodes."""

from __future__ import annotations

import queue
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_node import PATIENCE_S, FakeNode, Stream  # noqa: E402
from program import (  # noqa: E402
    Program,
    coordinator,
    java_command,
    none,
    python_command,
    unconfirmed,
)

A, B, C = "http://10.0.0.5:8080", "http://10.0.0.6:18080", "https://10.0.0.7:8443"


class Group:
    """Several fake nodes, and a queue of the streams that are requested from them."""

    def __init__(self, test: unittest.TestCase, count: int):
        self.streams: "queue.Queue[Stream]" = queue.Queue()
        self.nodes = [FakeNode(self.streams).start() for _ in range(count)]
        for node in self.nodes:
            test.addCleanup(node.close)

    @property
    def urls(self) -> "list[str]":
        return [node.url for node in self.nodes]

    def stream(self) -> Stream:
        return self.streams.get(timeout=PATIENCE_S)


class Scenarios:
    """Tests that each example application must pass, in every language."""

    def command(self) -> "list[str]":
        raise NotImplementedError

    def run_on(self, group: Group) -> Program:
        program = Program(self.command(), group.urls)
        self.addCleanup(program.kill)
        return program

    def test_each_move_is_printed_once(self) -> None:
        """The program prints one line for each change: a coordinator, none, another one. A repeated
        answer is no change. JSON escapes are read."""
        group = Group(self, 1)
        program = self.run_on(group)
        stream = group.stream()
        self.assertEqual(stream.target, "/v1/coordinator?watch")
        stream.coordinator(A)
        program.next(coordinator(A))
        stream.heartbeat()
        stream.none('no node announces a "coordinator" \u2026 \\')
        program.next(none('no node announces a "coordinator" \u2026 \\\\'))
        escaped = B.replace("/", "\\/").replace(":", "\\u003a")
        data = '{"properties":{"uri":"http://wrong:1"},"uri":"%s"}' % escaped
        same = f"event: coordinator\ndata: {data}\n\n"
        stream.raw(same)
        stream.raw(same)
        stream.coordinator(C)
        program.next(coordinator(B))
        program.next(coordinator(C))

    def test_the_next_node_goes_on(self) -> None:
        """A node that fails, one that ends its stream and one that sends an invalid event cause no
        line. Only the next move is printed, by the next node."""
        group = Group(self, 3)
        program = self.run_on(group)
        first = group.stream()
        first.coordinator(A)
        program.next(coordinator(A))
        first.node.stop()
        second = group.stream()
        second.coordinator(A)
        second.end("this node is stopping")
        third = group.stream()
        self.assertEqual(len({first.node, second.node, third.node}), 3)
        third.coordinator(A)
        third.raw("event: coordinator\ndata: {}\n\n")
        fourth = group.stream()
        self.assertIsNot(fourth.node, third.node)
        fourth.coordinator(B)
        self.assertEqual(program.next(coordinator(B))[1], fourth.node.url)

    def test_the_last_answer_stays_when_all_are_away(self) -> None:
        """The address stays, marked as unconfirmed, while all nodes are down and while they are
        back without a quorum. The mark goes when a node sends the address again."""
        group = Group(self, 3)
        program = self.run_on(group)
        group.stream().coordinator(A)
        program.next(coordinator(A))
        for node in group.nodes:
            node.stop()
        program.next(unconfirmed(coordinator(A)))
        for node in group.nodes:
            node.refusal = "no majority of the cluster answers"
            node.start()
        for node in group.nodes:
            node.refused.get(timeout=PATIENCE_S)
        for node in group.nodes:
            node.refusal = None
        stream = group.stream()
        stream.coordinator(A)
        program.next(coordinator(A))
        stream.coordinator(B)
        program.next(coordinator(B))


class PythonProgramTest(Scenarios, unittest.TestCase):
    def command(self) -> "list[str]":
        return python_command()


class JavaProgramTest(Scenarios, unittest.TestCase):
    def command(self) -> "list[str]":
        return java_command() or self.skipTest("no java on the PATH: set JAVA to the java of a JDK")


class SilenceTest(unittest.TestCase):
    def test_a_silent_node_is_given_up(self) -> None:
        """After 10 s without data on an open stream, the next node is asked. Both programs run at
        the same time, so the test takes only 10 s."""
        programs = []
        for command in filter(None, [python_command(), java_command()]):
            group = Group(self, 2)
            programs.append((Program(command, group.urls), group))
            self.addCleanup(programs[-1][0].kill)
        firsts = []
        for program, group in programs:
            firsts.append(group.stream())
            firsts[-1].coordinator(A)
            program.next(coordinator(A))
        for (program, group), first in zip(programs, firsts):
            second = group.stream()
            self.assertIsNot(second.node, first.node)
            first.wait_gone()
            second.coordinator(B)
            program.next(coordinator(B))


if __name__ == "__main__":
    unittest.main()
