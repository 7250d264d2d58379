"""The whole server under load: the same bits for everyone, and ten times more work than it can do."""

import itertools
import json
import lzma
import os
import pathlib
import random
import resource
import selectors
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))

import support  # noqa: E402

SHARED = pathlib.Path(os.environ["KS_SHARED"])
LOAD = os.environ["KS_LOAD"]
CORES = len(os.sched_getaffinity(0))
CONNECTIONS = 64
QUEUE_LIMIT = 131072  # --max-queue-tokens, the default


def read_texts(path):
    with lzma.open(SHARED / "data" / path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t", 1)[1][:10_000] for line in file]


# --- The same bits ---

def raw_logits(text) -> bytes:
    return support.post_bytes("/", {"inputs": text, "parameters": {"function_to_apply": "none", "top_k": 3}})


class Burst:
    """Connections that ask all at once and then read all their answers."""

    def __init__(self, server, count):
        self.sockets = [server.connect() for _ in range(count)]
        self.selector = selectors.DefaultSelector()
        for i, s in enumerate(self.sockets):
            self.selector.register(s, selectors.EVENT_READ, i)

    def ask(self, requests):
        received = [b""] * len(requests)
        for s, request in zip(self.sockets, requests, strict=False):
            s.sendall(request)
        missing = set(range(len(requests)))
        while missing:
            for key, _ in self.selector.select(30):
                i = key.data
                received[i] += (chunk := key.fileobj.recv(65536))
                assert chunk, "the server closed a connection"
                head, end, body = received[i].partition(b"\r\n\r\n")
                if end and len(body) == int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
                    assert head.startswith(b"HTTP/1.1 200"), received[i]
                    received[i] = body
                    missing.discard(i)
        return received

    def close(self):
        self.selector.close()
        for s in self.sockets:
            s.close()


def test_the_same_bits_at_64_connections():
    texts = read_texts("semeval2017/test.tsv.xz")[:1000] + read_texts("imdb/test.tsv.xz")[:50]
    requests = [raw_logits(text) for text in texts]
    choose = random.Random(1)
    with support.Server("--log-level", "error") as server:
        alone = Burst(server, 1)
        expected = [alone.ask([request])[0] for request in requests]
        alone.close()
        wide = server.metric("ml_runs_total", session="wide")
        count, single = server.metric("ml_batch_size_count"), server.metric("ml_batch_size_bucket", le="1")
        assert count == single == len(texts), "alone is alone"
        burst = Burst(server, CONNECTIONS)
        rounds = differing = above_one = 0
        while above_one <= 1000 and rounds < 2000:
            rounds += 1
            chosen = [choose.randrange(len(texts)) for _ in range(CONNECTIONS)]
            answers = burst.ask([requests[i] for i in chosen])
            differing += sum(answer != expected[i] for answer, i in zip(answers, chosen, strict=True))
            if rounds % 20 == 0:
                above_one = (server.metric("ml_batch_size_count") - count) - (
                    server.metric("ml_batch_size_bucket", le="1") - single)
        burst.close()
        sequences = server.metric("ml_batch_size_sum") - len(texts)
    print(f"{rounds * CONNECTIONS} answers at {CONNECTIONS} connections, {differing} with other bits; {above_one:.0f} runs above "
          f"one text, {sequences / (rounds * CONNECTIONS):.2f} sequences an answer; alone {wide:.0f} of {len(texts)} texts ran on "
          "all cores")
    assert differing == 0
    assert above_one > 1000


# --- Ten times too much ---

class Cpu:
    """Seconds of CPU that a load took beside the server, this process included, of so many seconds."""

    def __init__(self, load, seconds):
        self.load, self.seconds = load, seconds

    @property
    def left(self):
        """The share of the cores that it left."""
        return 1 - self.load / self.seconds / CORES


def run_load(server, bodies, **options):
    command = [LOAD, "--port", str(server.port), "--bodies", str(bodies)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    mine, began = time.process_time(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    result = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    seconds = time.monotonic() - began
    return result, Cpu(usage.ru_utime + usage.ru_stime + time.process_time() - mine, seconds)


def measure_maximum(server, bodies):
    """Texts a second with 64 connections that always ask, and the share of the cores that their generator left."""
    result, cpu = run_load(server, bodies, connections=64, seconds=8, warm_up=2)
    assert not result["errors"]
    return result["requests_per_second"], cpu.left


class Probe:
    """Asks one path all the time on a connection of its own."""

    def __init__(self, server, path):
        self.path, self.times, self.statuses = path, [], set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(server,))
        self._thread.start()

    def _run(self, server):
        request = f"GET {self.path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
        with server.connect() as s, s.makefile("rb") as stream:
            while not self._stop.wait(0.1):
                began = time.perf_counter()
                s.sendall(request)
                self.statuses.add(support.read_response(stream).status)
                self.times.append(1000 * (time.perf_counter() - began))

    def stop(self):
        self._stop.set()
        self._thread.join(60)

    @property
    def p99(self):
        return sorted(self.times)[int(0.99 * (len(self.times) - 1))]


PROBED = ("/health/live", "/health/ready", "/metrics")


class Overload:
    """One load in rounds of 10 ms: a generator that wakes thousands of times a second takes more from the workers than its
    own CPU time."""

    def __init__(self, server, bodies, rate):
        probes = [Probe(server, path) for path in PROBED]
        runs, seconds = (server.metric(f"ml_inference_duration_seconds_{name}") for name in ("count", "sum"))
        self.load, cpu = run_load(server, bodies, connections=1500, seconds=10, warm_up=5, rate=rate, round_ms=10)
        self.left = cpu.left
        self.run_ms = 1000 * (server.metric("ml_inference_duration_seconds_sum") - seconds) / (
            server.metric("ml_inference_duration_seconds_count") - runs)
        for probe in probes:
            probe.stop()
        self.probes = probes

    @property
    def goodput(self):
        return self.load["ok"]["per_second"]

    def expected(self, before, after):
        """Of the maximum before and after, what this generator left."""
        best, left = map(statistics.mean, zip(before, after, strict=True))
        return best * self.left / left

    def longest_wait_ms(self, tokens_a_text):
        return 1.2 * 1000 * QUEUE_LIMIT / (self.goodput * tokens_a_text) + self.run_ms


def test_ten_times_more_work_than_it_can_do():
    texts = read_texts("imdb/test.tsv.xz")[:2000]
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most_files, 8192), most_files))  # of the programs below, too
    maxima, overs = [], []
    with tempfile.TemporaryDirectory() as folder, support.Server(
            "--log-level", "error", "--default-deadline", "100s") as server:  # the queue is what refuses
        bodies = pathlib.Path(folder, "bodies")
        bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        maxima.append(measure_maximum(server, bodies))
        tokens_a_text = server.metric("ml_tokens_total") / server.metric("ml_predictions_total")
        for _ in range(3):  # in turn, since a machine that others use changes from second to second
            overs.append(Overload(server, bodies, 10 * maxima[0][0]))
            maxima.append(measure_maximum(server, bodies))
        assert server.get("/health/live").status == 200

    expected = [over.expected(*pair) for over, pair in zip(overs, itertools.pairwise(maxima), strict=True)]
    reached = sum(over.goodput for over in overs) / sum(expected)
    slowest = {path: max(over.probes[i].p99 for over in overs) for i, path in enumerate(PROBED)}
    print(f"{CORES} cores: at most {', '.join(f'{best:.0f}' for best, _ in maxima)} texts/s of {tokens_a_text:.0f} tokens, the "
          f"load generator takes {1 - statistics.mean(left for _, left in maxima):.1%} of the CPU")
    for over, most in zip(overs, expected, strict=True):
        print(f"10 x overload ({over.load['requests_per_second']:.0f} a second answered, {over.load['statuses']}): goodput "
              f"{over.goodput:.0f} texts/s, {over.goodput / most:.1%} of what the generator's {1 - over.left:.1%} leave "
              f"({most:.0f}); admitted: p50 {over.load['ok']['p50_ms']:.0f} ms, p99 {over.load['ok']['p99_ms']:.0f} ms, bound "
              f"{over.longest_wait_ms(tokens_a_text):.0f} ms (one run {over.run_ms:.1f} ms)")
    print(f"goodput of all {reached:.1%}; p99 of each load at most {', '.join(f'{path} {ms:.1f} ms' for path, ms in slowest.items())}")
    for over in overs:
        assert set(over.load["statuses"]) <= {"429"}, "and nothing else"
        assert over.load["ok"]["p99_ms"] <= over.longest_wait_ms(tokens_a_text)
    assert reached >= 0.9
    for probe in itertools.chain.from_iterable(over.probes for over in overs):
        assert probe.statuses == {200}, f"{probe.path}: a full queue stays ready"
        assert probe.p99 < 100, probe.path
