"""Tests of the Python client against fake nodes: its answers, its failover and its pauses. They use
only the loopback network."""

from __future__ import annotations

import queue
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "python")]

from coordinator_watch import Answer, CoordinatorWatch  # noqa: E402
from fake_node import PATIENCE_S, FakeNode, Stream  # noqa: E402

A, B = "http://10.0.0.5:8080", "http://10.0.0.6:18080"


class WatchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.streams: "queue.Queue[Stream]" = queue.Queue()
        self.changes: "queue.Queue[Answer]" = queue.Queue()

    def nodes(self, count: int) -> "list[FakeNode]":
        nodes = [FakeNode(self.streams) for _ in range(count)]
        for node in nodes:
            self.addCleanup(node.close)
        return nodes

    def watch(
        self, nodes: "list[FakeNode]", kind: type = CoordinatorWatch, **options: str
    ) -> CoordinatorWatch:
        watch = kind([node.url for node in nodes], self.changes.put, **options)
        self.addCleanup(watch.close)
        return watch

    def stream(self) -> Stream:
        return self.streams.get(timeout=PATIENCE_S)

    def change(self) -> Answer:
        return self.changes.get(timeout=PATIENCE_S)

    def test_the_answer_is_in_memory_and_follows_each_move(self) -> None:
        """current() returns None before the first answer, and the last answer of the stream after
        it."""
        watch = self.watch([self.nodes(1)[0].start()])
        stream = self.stream()
        self.assertEqual(stream.target, "/v1/coordinator?watch")
        self.assertIsNone(watch.current())
        stream.coordinator(A)
        self.assertEqual(watch.wait(PATIENCE_S).uri, A)
        self.assertEqual(self.change().uri, A)
        stream.heartbeat()
        stream.coordinator(B, nodeId="c2")
        self.assertEqual(self.change().uri, B)
        self.assertEqual((watch.current().uri, watch.current().fields["nodeId"]), (B, "c2"))

    def test_none_is_an_answer_and_wait_waits_on(self) -> None:
        """The lack of a coordinator is an answer of its own, with the reason. wait() returns only
        an answer with an address."""
        watch = self.watch([self.nodes(1)[0].start()])
        stream = self.stream()
        stream.none("no node announces a coordinator")
        self.assertEqual(self.change().fields, {"reason": "no node announces a coordinator"})
        self.assertIsNone(watch.current().uri)
        with self.assertRaisesRegex(TimeoutError, "no node announces"):
            watch.wait(0)
        stream.coordinator(A)
        self.assertEqual(watch.wait(PATIENCE_S).uri, A)

    def test_a_node_that_dies_shows_in_no_call(self) -> None:
        """When a node fails, the watch continues at the next node, whose equal answer is no
        change."""
        nodes = self.nodes(3)
        watch = self.watch([node.start() for node in nodes])
        first = self.stream()
        first.coordinator(A)
        self.assertEqual(self.change().uri, A)
        first.node.stop()
        second = self.stream()
        self.assertIsNot(second.node, first.node)
        self.assertEqual((watch.current().uri, watch.current().unconfirmed_since), (A, None))
        second.coordinator(A)
        second.coordinator(B)
        # B is the next change: neither the second A nor an unconfirmed answer was reported.
        self.assertEqual(self.change().uri, B)
        self.assertEqual(watch.current().server, second.node.url)

    def test_a_node_that_ends_its_stream_is_left(self) -> None:
        """After the event `end`, sent by a node that stops or has no quorum, the next node is
        asked."""
        self.watch([node.start() for node in self.nodes(2)])
        first = self.stream()
        first.coordinator(A)
        first.end("this node is stopping")
        self.assertIsNot(self.stream().node, first.node)

    def test_a_silent_node_is_given_up(self) -> None:
        """If a connection stays open but brings no data, the next node is asked."""

        class Impatient(CoordinatorWatch):
            SILENCE_S = 0.2
            RESPONSE_S = 2 * PATIENCE_S

        self.watch([node.start() for node in self.nodes(2)], Impatient)
        first = self.stream()
        self.assertIsNot(self.stream().node, first.node)
        first.wait_gone()

    def test_a_503_is_no_answer(self) -> None:
        """After a 503, sent by a node without a quorum, another node is asked. The error of wait()
        contains the reason."""
        refusing, good = self.nodes(2)
        refusing.refusal = "no majority of the cluster answers"
        watch = self.watch([refusing.start()])
        refusing.refused.get(timeout=PATIENCE_S)
        with self.assertRaisesRegex(TimeoutError, "503 no majority|no server has answered"):
            watch.wait(0)
        self.assertIsNone(watch.current())
        both = self.watch([refusing, good.start()])
        self.stream().coordinator(A)
        self.assertEqual(both.wait(PATIENCE_S).uri, A)

    def test_the_last_answer_stays_when_all_are_away(self) -> None:
        """If all nodes fail, the address stays, with the time since which it is unconfirmed. When
        they return, it is confirmed again and changes are reported."""
        nodes = self.nodes(3)
        watch = self.watch([node.start() for node in nodes])
        before = time.time()
        self.stream().coordinator(A)
        self.assertEqual(self.change().uri, A)
        heard_by = time.time()
        for node in nodes:
            node.stop()
        lost = self.change()
        self.assertEqual(lost.uri, A)
        self.assertTrue(
            before <= lost.unconfirmed_since <= heard_by,
            "it is the time of the last word, not of the loss",
        )
        self.assertEqual(watch.current(), lost)
        self.assertEqual(watch.wait(0).uri, A)
        while not self.streams.empty():
            self.streams.get()  # An attempt on a node that was about to stop.
        nodes[1].start()
        stream = self.stream()
        stream.coordinator(A)
        self.assertIsNone(self.change().unconfirmed_since)
        stream.coordinator(B)
        self.assertEqual(self.change().uri, B)

    def test_rubbish_is_no_answer(self) -> None:
        """No invalid response removes the last answer or ends the watch."""

        class Hasty(CoordinatorWatch):
            PAUSE_MAX_S = CoordinatorWatch.PAUSE_MIN_S

        watch = self.watch([self.nodes(1)[0].start()], Hasty)
        stream = self.stream()
        stream.coordinator(A)
        self.assertEqual(self.change().uri, A)
        long_line = "x" * (CoordinatorWatch.LINE_MAX_BYTES + 1)
        for data in "[1]", "7", "{}", '{"uri":', '{"uri":"cut off', "\ud800", long_line:
            try:
                end = "" if "cut off" in data else "\n\n"
                stream.raw(f"event: coordinator\ndata: {data}{end}")
            except ConnectionError:
                pass  # The client closed the connection before it had read all data.
            if "cut off" in data:
                stream.close()
            stream = self.stream()
            self.assertEqual(watch.current().uri, A)
        stream.coordinator(B)
        while self.change().uri != B:
            pass
        self.assertIsNone(watch.current().unconfirmed_since)

    def test_it_never_spins(self) -> None:
        """Streams that end at once are requested again after growing pauses. The fifth follows
        after at least 0.05 + 0.1 + 0.2 + 0.4 s."""
        self.watch([node.start() for node in self.nodes(2)])
        began = time.monotonic()
        for _ in range(5):
            stream = self.stream()
            stream.coordinator(A)
            stream.end("stopping")
        self.assertGreaterEqual(time.monotonic() - began, 0.75)

    def test_close_ends_the_thread_and_the_connection(self) -> None:
        """close() ends the thread even while it waits for data. The last answer stays."""
        watch = self.watch([self.nodes(1)[0].start()])
        stream = self.stream()
        stream.coordinator(A)
        watch.wait(PATIENCE_S)
        watch.close()
        stream.wait_gone()
        self.assertNotIn("coordinator-watch", [thread.name for thread in threading.enumerate()])
        self.assertEqual(watch.current().uri, A)

    def test_a_failing_callback_harms_nothing(self) -> None:
        """An exception of `on_change` is logged, and the watch continues."""

        def fail(_answer: Answer) -> None:
            raise RuntimeError("meant")

        watch = CoordinatorWatch([self.nodes(1)[0].start().url], fail)
        self.addCleanup(watch.close)
        stream = self.stream()
        with self.assertLogs("coordinator_watch", "ERROR"):
            stream.coordinator(A)
            stream.coordinator(B)
            self.changes_to(watch, B)

    def changes_to(self, watch: CoordinatorWatch, uri: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with watch._changed:  # pylint: disable=protected-access
            while watch.current() is None or watch.current().uri != uri:
                self.assertLess(time.monotonic(), deadline)
                watch._changed.wait(1)  # pylint: disable=protected-access

    def test_engine_and_pool_are_asked_for(self) -> None:
        """The engine and the pool are sent in the query, escaped."""
        self.watch([self.nodes(1)[0].start()], engine="presto", pool="a&b c")
        self.assertEqual(self.stream().target, "/v1/coordinator?watch&engine=presto&pool=a%26b+c")

    def test_servers_are_addresses(self) -> None:
        """An invalid server address raises an error at once."""
        for servers in [], ["10.0.0.1:8411"]:
            with self.assertRaises(ValueError):
                CoordinatorWatch(servers)


if __name__ == "__main__":
    unittest.main()
