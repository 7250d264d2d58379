"""Many clients at once, some of them bad: the others get their answers, and none that was admitted is lost."""

import contextlib
import json
import signal
import socket
import statistics
import threading
import time

import support

PREDICT = "/api/v1/predict"


@contextlib.contextmanager
def in_background(count, body):
    """Runs `body(stop)` on threads until the block ends; an exception of theirs comes out here."""
    stop, failures = threading.Event(), []

    def run():
        try:
            body(stop)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]


def latencies(server, requests=300):
    """Of a good client's requests on one connection, in milliseconds; each must be answered."""
    times = []
    with server.connect() as s, s.makefile("rb") as stream:
        for i in range(requests):
            began = time.perf_counter()
            s.sendall(support.post_bytes(PREDICT, {"text": f"a good day number {i}"}))
            assert support.read_response(stream).status == 200
            times.append(1000 * (time.perf_counter() - began))
    return times


def test_sigterm_under_load_answers_everything_that_was_admitted():
    """Every answer that the server logged as given came to its client: single texts and batches that are still in the
    queue when the signal comes."""
    received, batch = [], {"texts": ["a fine day, all things considered"] * 40}

    def client(stop):
        while not stop.is_set():
            try:
                with server.connect() as s, s.makefile("rb") as stream:
                    for i in range(10**9):
                        s.sendall(support.post_bytes(PREDICT + "/batch", batch) if i % 3 == 0 else
                                  support.post_bytes(PREDICT, {"text": "a good day"}))
                        answer = support.read_response(stream)
                        received.append(answer.status)
                        if answer.headers.get("connection") == "close":
                            break
            except (OSError, IndexError):  # the listener is gone, or closed this connection before it read a request
                pass
            if server.process.poll() is not None:
                return

    with support.Server("--drain-delay", "200ms", "--max-queue-tokens", "65536") as server:
        with in_background(24, client):
            time.sleep(0.7)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        given = [json.loads(line) for line in server.log.splitlines()]
    assert any(line["message"] == "stopped" and line["all_answered"] for line in given)
    statuses = [line["status"] for line in given if line["message"] == "request" and line["method"] == "POST"]
    assert sorted(statuses) == sorted(received)
    assert statuses.count(200) > 20 and set(statuses) <= {200, 429, 503}


def test_clients_that_leave_are_not_run(tmp_path):
    with support.Server("--threads", "1") as server:
        texts = {"texts": ["word " * 250] * 60}
        for _ in range(20):
            with server.connect() as s:
                s.sendall(support.post_bytes(PREDICT + "/batch", texts))
                time.sleep(0.002)
        deadline = time.monotonic() + 30
        while server.metric("ml_queue_tokens") > 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        abandoned = server.metric("ml_rejected_total", reason="abandoned")
        ran = server.metric("ml_batch_size_sum")
    assert abandoned >= 10, abandoned
    assert ran < 20 * 60 / 2, ran


def test_bad_clients_cost_nobody_else():
    """Clients that disconnect in the middle, trickle their bytes, or never read: beside them a good client waits no longer
    than beside as many idle ones, but for the work that they make."""
    request = support.post_bytes(PREDICT, {"text": "good"})
    long_answer = support.post_bytes(PREDICT + "/batch", {"texts": ["good"] * 1000})

    def disconnects(stop):
        while not stop.is_set():
            for piece in (request[:30], request[:-3], request):
                with server.connect() as s:
                    s.sendall(piece)
                time.sleep(0.002)

    def trickles(stop):
        with server.connect() as s:
            while not stop.is_set():
                for i in range(len(request)):
                    s.sendall(request[i:i + 1])
                    if stop.wait(0.005):
                        return

    def never_reads(stop):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", server.port))
            s.settimeout(0.2)
            for _ in range(3):
                with contextlib.suppress(OSError):
                    s.sendall(long_answer)
            stop.wait()

    with support.Server() as server:
        latencies(server, 50)
        before = latencies(server)
        with in_background(8, trickles), in_background(8, never_reads):
            time.sleep(0.3)
            deadline = time.monotonic() + 60
            while server.metric("ml_queue_tokens") > 200:  # until what the last ones asked for has run
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with in_background(2, disconnects):
                beside = latencies(server)
        after = latencies(server)
        assert server.get("/health/live").status == 200
    shown = " / ".join(f"{statistics.median(t):.2f}" for t in (before, beside, after))
    print(f"median before / beside / after: {shown} ms")
    assert statistics.median(beside) < 5 * statistics.median(before) + 5, shown
    assert sorted(beside)[-4] < 1000, shown
