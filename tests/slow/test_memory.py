"""What a server keeps after a day's work: its own memory, its share of what is mapped, and that neither grows."""

import http.client
import itertools
import json
import lzma
import os
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))

import support  # noqa: E402

SHARED = pathlib.Path(os.environ["KS_SHARED"])
CONNECTIONS = 8
FIRST, MORE = 10_000, 100_000
LARGEST = {"Private_Dirty": 45e6, "Pss": 80e6}
GROWTH = 2e6  # what an allocator may still move about


def texts_of(name):
    with lzma.open(SHARED / f"data/{name}.tsv.xz", "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t", 1)[1][:10_000] for line in file]


def mixed_bodies():
    """Tweets, one review of a film in twenty, one batch of eight tweets in fifty; the same for every run."""
    tweets, reviews = texts_of("semeval2017/train"), texts_of("imdb/test")
    draw = random.Random(11)
    for i in itertools.count():
        if i % 50 == 49:
            yield "/api/v1/predict/batch", json.dumps({"texts": [draw.choice(tweets) for _ in range(8)]})
        else:
            yield "/api/v1/predict", json.dumps({"text": draw.choice(reviews if i % 20 == 19 else tweets)})


def load(server, bodies, count):
    lock = threading.Lock()
    left = itertools.islice(bodies, count)
    failures = []

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while True:
            with lock:
                path, body = next(left, (None, None))
            if path is None or failures:
                return
            connection.request("POST", path, body.encode(), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                failures.append((answer.status, content[:200]))

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def memory(server):
    """Bytes by the names of smaps_rollup."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in lines)}


def test_memory_is_small_and_flat():
    bodies = mixed_bodies()
    with support.Server() as server:
        server.wait_log("package verified")
        print(f"\nready: {told(memory(server))}")
        load(server, bodies, FIRST)
        early = memory(server)
        print(f"after {FIRST} requests: {told(early)}")
        for name, most in LARGEST.items():
            assert early[name] <= most, f"{name}: expected at most {most / 1e6:.0f} MB, found {early[name] / 1e6:.1f}"
        load(server, bodies, MORE)
        late = memory(server)
        print(f"after {MORE} more: {told(late)}")
        for name in LARGEST:
            assert late[name] <= early[name] + GROWTH, f"{name} grew from {early[name] / 1e6:.1f} to {late[name] / 1e6:.1f} MB"
        mapped = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "int8.bin" in mapped
        for file in ("model.safetensors", "fp32.onnx", "portable"):
            assert file not in mapped, f"{file} is mapped though int8 serves"


def told(figures):
    return ", ".join(f"{name} {figures[name] / 1e6:.1f} MB" for name in ("Rss", "Pss", "Private_Dirty", "Private_Clean", "AnonHugePages"))
