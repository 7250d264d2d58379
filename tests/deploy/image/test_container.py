"""The images run for real, shut in as a cluster would: what the kernel lets them do, what they need, how they end."""

import itertools
import json
import os
import pathlib
import threading
import time

import pytest

import podman as containers
from archive import SOURCE
from podman import Container, Podman, support

import mixed_load  # beside support.py
from mixed_load import PREDICT

MEMORY = 128 << 20
REQUESTS = 50_000

pytestmark = pytest.mark.skipif(bool(containers.missing()), reason=str(containers.missing()))


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    instance = Podman(tmp_path_factory.mktemp("podman"))
    yield instance
    instance("rmi", "--all", "--force", check=False)  # a reset would reach the machine's other containers


@pytest.fixture(scope="session")
def runtime(podman):
    return podman.load("runtime")


@pytest.fixture(scope="session")
def full(podman):
    return podman.load("full")


# --- What is around it ---

def test_the_kernel_lets_it_do_nothing(podman, runtime):
    with Container(podman, runtime) as server:
        assert server.post(PREDICT, {"text": "I love this"}).json()["label"] == "POSITIVE"
        status = server.process_status()
        assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "2 is a filter"
        mounts = [line.split() for line in pathlib.Path(f"/proc/{server.pid}/mountinfo").read_text().splitlines()]
        root = next(fields for fields in mounts if fields[4] == "/")
        assert "ro" in root[5].split(",")
        assert not [fields[4] for fields in mounts if fields[4] in ("/tmp", "/run", "/var/tmp")]


def test_the_health_check_of_the_image(podman, runtime):
    with Container(podman, runtime, "--drain-delay", "20s") as server:
        check = ("exec", server.name, "/usr/bin/kubesentiment", "health", "--url", server.url + "/health/ready")
        done = podman(*check)
        assert done.stdout == f"{server.url}/health/ready: status 200\n"
        server.signal()
        server.wait_log('"stopping"')
        done = podman(*check, check=False)
        assert done.returncode == 1 and "status 503: the server is draining (E4002)" in done.stderr


def test_commands_need_no_server(podman, runtime):
    assert json.loads(podman.run(runtime, "version", "--json").stdout)["onnxruntime"]
    assert podman.run(runtime, "predict", "I love this").stdout.startswith("POSITIVE\t")
    podman.run(runtime, "inspect", "/usr/share/kubesentiment/models/default", "--verify")
    done = podman.run(runtime, "serve", "--precision", "fp32", check=False)
    assert done.returncode == 3 and "fp32" in done.stderr, "what this image leaves out is said"


def test_full_answers_in_fp32_and_with_pytorch(podman, full):
    text = "I love this"
    scores = []
    for options in (["--precision", "fp32"], ["--backend", "pytorch"]):
        done = podman.run(full, "predict", "--json", *options, text)
        scores.append(json.loads(done.stdout)["scores"])
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


# --- Its size in use ---

def test_half_a_cpu_is_one_worker(podman, runtime):
    with Container(podman, runtime, options=["--cpus=0.5"]) as server:
        events = server.events()
        assert (events["threads"]["cores"], events["backend"]["workers"]) == (1, 1)
        assert server.post(PREDICT, {"text": "half as fast"}).status == 200
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core: that it would take more without a quota cannot be seen here")
    with Container(podman, runtime) as server:
        cores = server.events()["threads"]["cores"]
        assert cores == server.events()["backend"]["workers"] > 1


def test_exec_to_first_answer(podman, runtime):
    times = []
    for _ in range(6):  # the first warms up podman; the files of each are in the page cache, since it was just made
        server = Container(podman, runtime)
        try:
            start = threading.Thread(target=podman, args=("start", server.name))
            began = time.monotonic()
            start.start()
            while True:
                try:
                    # It listens for an instant before it is ready.
                    if server.post(PREDICT, {"text": "I love this"}, timeout=5).status == 200:
                        break
                except OSError:
                    pass
                assert time.monotonic() < began + 60, server.log
                time.sleep(0.0005)
            answered = time.monotonic()
            start.join()
            times.append((answered - began, answered - server.events()["start"]["began_monotonic_ms"] / 1000))
        finally:
            server.__exit__()
    from_start, from_main = (sorted(values)[len(times[1:]) // 2] for values in zip(*times[1:], strict=True))
    print(f"\nin a container: {1000 * from_main:.0f} ms from main to the first answer, {1000 * from_start:.0f} ms from `podman start`"
          f" (medians of {len(times) - 1})")
    assert from_main < 1


def bodies():
    """Comments, and 30 of them in a row, which is longer than the window."""
    golden = (SOURCE / "tests/golden/goemotions500.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    texts = [json.loads(line)["text"] for line in golden]
    return mixed_load.mixed_bodies(lambda draw: draw.choice(texts), lambda draw: " ".join(draw.choices(texts, k=30)))


def test_memory_stays_within_128_mib(podman, runtime):
    with Container(podman, runtime, "--access-log=false", options=[f"--memory={MEMORY}", f"--memory-swap={MEMORY}"]) as server:
        assert int(server.cgroup("memory", "memory.limit_in_bytes", "memory.max")) == MEMORY
        pid, began = server.pid, time.monotonic()
        mixed_load.send(server, bodies(), REQUESTS)
        seconds = time.monotonic() - began
        state = server.state
        assert state["Running"] and state["Pid"] == pid and not state["OOMKilled"]
        of = {name: int(value.split()[0]) / 1e3 for name, value in server.process_status().items() if name.startswith(("VmRSS", "Rss"))}
        charged = int(server.cgroup("memory", "memory.usage_in_bytes", "memory.current")) / 1e6
        print(f"\n{REQUESTS} requests in {seconds:.0f} s: {charged:.0f} MB charged of {MEMORY / 1e6:.0f}; "
              f"{of['VmRSS']:.0f} resident, {of['RssAnon']:.0f} of them its own")
        assert charged > of["RssFile"], "the pages of its files are charged to it"


def test_a_limit_that_is_too_small_ends_it(podman, runtime):
    """So the limit above is one."""
    done = podman.run(runtime, "predict", "I love this", options=["--memory=8m", "--memory-swap=8m"], check=False)
    assert done.returncode == 137


# --- Its end ---

def test_sigterm_answers_what_was_admitted(podman, runtime):
    answered, batch = [], {"texts": ["a fine day, all things considered"] * 40}

    def client():
        while not ended.is_set():
            try:
                with server.connect() as s, s.makefile("rb") as stream:
                    for i in itertools.count():
                        s.sendall(support.post_bytes(PREDICT + "/batch", batch) if i % 3 == 0 else
                                  support.post_bytes(PREDICT, {"text": "a good day"}))
                        answer = support.read_response(stream)
                        answered.append(answer.status)
                        if answer.headers.get("connection") == "close":
                            break
            except (OSError, IndexError):  # the listener is gone, or closed this connection before it read a request
                pass

    ended = threading.Event()
    with Container(podman, runtime, "--drain-delay", "500ms") as server:
        threads = [threading.Thread(target=client) for _ in range(16)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(1)
            server.signal()
            assert server.wait() == 0
        finally:
            ended.set()
            for thread in threads:
                thread.join(60)
        events = [json.loads(line) for line in server.log.splitlines()]
    assert [line["all_answered"] for line in events if line["message"] == "stopped"] == [True]
    given = [line["status"] for line in events if line["message"] == "request" and line["method"] == "POST"]
    assert sorted(given) == sorted(answered), "each answer that the log tells of came to its client"
    assert 200 in given and set(given) <= {200, 503}
