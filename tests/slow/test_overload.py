"""The whole server under load: the same bits for everyone, and ten times more work than it can do."""

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


def test_ten_times_more_work_than_it_can_do():
    texts = read_texts("imdb/test.tsv.xz")[:2000]
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most_files, 8192), most_files))  # of the programs below, too
    limit = 131072  # max-queue-tokens, the default
    with tempfile.TemporaryDirectory() as folder, support.Server(
            "--log-level", "error", "--default-deadline", "100s") as server:  # the queue is what refuses
        bodies = pathlib.Path(folder, "bodies")
        bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        most, most_cpu = run_load(server, bodies, connections=64, seconds=8, warm_up=2)
        tokens_a_text = server.metric("ml_tokens_total") / server.metric("ml_predictions_total")
        assert not most["errors"]
        rate = 10 * most["requests_per_second"]
        probes = [Probe(server, path) for path in ("/health/live", "/health/ready", "/metrics")]
        runs = [server.metric(f"ml_inference_duration_seconds_{name}") for name in ("count", "sum")]
        over, over_cpu = run_load(server, bodies, connections=1500, seconds=15, warm_up=5, rate=rate)
        runs = [server.metric(f"ml_inference_duration_seconds_{name}") - was
                for name, was in zip(("count", "sum"), runs, strict=True)]
        for probe in probes:
            probe.stop()
        assert server.get("/health/live").status == 200

    goodput, best = over["ok"]["per_second"], most["requests_per_second"]
    left, left_at_best = (1 - cpu.load / cpu.seconds / CORES for cpu in (over_cpu, most_cpu))
    expected = best * left / left_at_best
    drain = goodput * tokens_a_text
    one_run = 1000 * runs[1] / runs[0]
    bound = 1.2 * 1000 * limit / drain + one_run
    print(f"{CORES} cores: at most {best:.0f} texts/s of {tokens_a_text:.0f} tokens, the load generator takes "
          f"{1 - left_at_best:.1%} of the CPU")
    print(f"10 x overload ({rate:.0f} a second asked, {over['requests_per_second']:.0f} answered, {over['statuses']}): goodput "
          f"{goodput:.0f} texts/s, {goodput / expected:.1%} of what the generator's {1 - left:.1%} leave ({expected:.0f})")
    print(f"admitted: p50 {over['ok']['p50_ms']:.0f} ms, p99 {over['ok']['p99_ms']:.0f} ms, bound {bound:.0f} ms "
          f"(queue {limit} tokens, drained at {drain:.0f} a second, one run {one_run:.1f} ms)")
    for probe in probes:
        print(f"{probe.path}: {len(probe.times)} asked, median {statistics.median(probe.times):.1f} ms, p99 {probe.p99:.1f} ms")
    assert set(over["statuses"]) <= {"429"}, "and nothing else"
    assert goodput >= 0.9 * expected
    assert over["ok"]["p99_ms"] <= bound
    for probe in probes:
        assert probe.statuses == {200}, f"{probe.path}: a full queue stays ready"
        assert probe.p99 < 100, probe.path
