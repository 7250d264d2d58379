"""Starting and stopping: what serve refuses, how it drains, whom it can run as."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import support


def serve_fails(*arguments, env=None, model=support.MODEL):
    done = support.run("serve", "--listen", "127.0.0.1:0", "--model", model, *arguments, env=env, timeout=30)
    assert done.returncode != 0
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def copy_model(target: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(support.MODEL, target))


def test_missing_and_empty_model_directories(tmp_path):
    code, message = serve_fails(model=tmp_path / "nowhere")
    assert code == 3 and "nowhere" in message
    (tmp_path / "empty").mkdir()
    code, message = serve_fails(model=tmp_path / "empty")
    assert code == 3 and "manifest.json" in message


def test_a_package_without_its_tokenizer(tmp_path):
    model = copy_model(tmp_path / "model")
    (model / "tokenizer.json").unlink()
    code, message = serve_fails(model=model)
    assert code == 3 and "tokenizer.json" in message


def test_a_package_of_another_format_version(tmp_path):
    model = copy_model(tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_text())
    was = manifest["format_version"]
    manifest["format_version"] = 99
    (model / "manifest.json").write_text(json.dumps(manifest))
    code, message = serve_fails(model=model)
    assert code == 3 and "99" in message and str(was) in message


def damage(path: pathlib.Path):
    """Flips a bit in the middle: the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def test_a_damaged_file_is_found_before_ready_with_verify(tmp_path):
    model = copy_model(tmp_path / "model")
    damage(model / "model.safetensors")
    code, message = serve_fails("--verify", model=model)
    assert code == 3 and "model.safetensors" in message


def test_a_damaged_file_is_found_after_ready_without_verify(tmp_path):
    model = copy_model(tmp_path / "model")
    damage(model / "tokenizer.json")  # not read while serving, so only the hash can tell
    with support.Server(model=model) as server:
        deadline = time.monotonic() + 20
        while server.get("/health/ready").status == 200:
            assert time.monotonic() < deadline, "the damage was never noticed"
            time.sleep(0.02)
        assert "ml_package_verified" in server.get("/metrics").body.decode()
    assert "tokenizer.json" in server.log


def test_serve_falls_back_to_fp32_where_int8_is_damaged_and_says_so(tmp_path):
    model = copy_model(tmp_path / "model")
    content = bytearray((model / "int8.bin").read_bytes())
    # The first dense layers, right behind the header: scales the activations of every text.
    content[len(content) // 10:len(content) // 5] = bytes(len(content) // 5 - len(content) // 10)
    (model / "int8.bin").write_bytes(content)
    failed = support.run("predict", "--model", model, "I love this")
    assert failed.returncode == 3 and b"self-check" in failed.stderr, failed.stderr
    with support.Server(model=model) as server:
        assert server.get("/api/v1/model-info").json()["precision"] == "fp32"
        metrics = server.get("/metrics").body.decode()
        assert 'precision="fp32",reason="int8_self_check_failed"} 1' in metrics
    assert "int8 failed, fp32 runs instead" in server.log


def test_int8_alone_is_enough_to_serve(tmp_path):
    model = copy_model(tmp_path / "model")
    for name in ("model.safetensors", "fp32.onnx", "portable.onnx"):
        (model / name).unlink()
    done = support.run("predict", "--model", model, "I love this")
    assert done.stdout.startswith(b"POSITIVE"), done.stderr
    failed = support.run("predict", "--model", model, "--precision", "fp32", "I love this")
    assert failed.returncode == 3 and b"no precision fp32, it has int8" in failed.stderr
    inspected = support.run("inspect", model, "--verify")
    assert inspected.returncode == 0 and b"precisions   int8\n" in inspected.stdout


def test_a_truncated_file_names_both_sizes(tmp_path):
    model = copy_model(tmp_path / "model")
    content = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(content[:-1])
    code, message = serve_fails(model=model)
    assert code == 3 and "model.safetensors" in message and str(len(content)) in message


def test_an_unsupported_model_type_is_named_with_the_supported_ones(tmp_path):
    checkpoint = shutil.copytree(support.SOURCE / "models/default", tmp_path / "checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    config["model_type"] = "gpt2"
    (checkpoint / "config.json").write_text(json.dumps(config))
    done = support.run("convert", checkpoint, "--output", tmp_path / "out")
    message = done.stderr.decode()
    assert done.returncode in (1, 3) and "gpt2" in message and "bert" in message and "distilbert" in message
    assert not (tmp_path / "out").exists()


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = support.run("serve", "--listen", address, "--model", support.MODEL)
    assert done.returncode != 0 and address in done.stderr.decode() and "in use" in done.stderr.decode().lower()


def test_a_config_file_with_an_unknown_key(tmp_path):
    config = tmp_path / "ks.toml"
    config.write_text('max-queue-tokens = 131072\nmax-queue-tokns = 5\n')
    code, message = serve_fails("--config", config)
    assert code == 2 and "max-queue-tokns" in message and "ks.toml" in message


def test_precedence_of_flag_environment_and_file(tmp_path):
    config = tmp_path / "ks.toml"
    config.write_text('max-queue-tokens = 200000\nmax-connections = 11\nthreads = 1\n')
    done = support.run("serve", "--print-config", "--config", config, "--threads", "2",
                       env={"KS_MAX_CONNECTIONS": "12", "KS_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    for name, value in (("max-queue-tokens", "200000"), ("max-connections", "12"), ("threads", "2")):
        line = next(line for line in text.splitlines() if line.split()[:1] == [name] or line.startswith(name))
        assert value in line, line


def test_variables_that_kubernetes_injects_are_ignored():
    injected = {"KS_PORT": "tcp://10.0.0.1:8000", "KS_PORT_8000_TCP_ADDR": "10.0.0.1", "KS_SERVICE_HOST": "10.0.0.1",
                "KS_SERVICE_PORT": "8000"}
    with support.Server(env=injected | {"KS_MAX_QUEUE_TOKNES": "1"}) as server:
        assert server.post("/predict", {"text": "good"}).status == 200
    assert "KS_MAX_QUEUE_TOKNES" in server.log and "KS_SERVICE_HOST" not in server.log


def test_settings_under_which_a_legal_request_could_never_run():
    code, message = serve_fails("--max-queue-tokens", "1000")
    assert code == 2 and "max-queue-tokens" in message and "max-batch-tokens" in message


def test_a_deadline_that_the_measured_rate_cannot_meet_is_told():
    with support.Server("--default-deadline", "100ms") as server:
        assert server.post("/predict", {"text": "I love this"}).status == 200
        deadline = time.monotonic() + 20
        while not (warnings := server.get("/model-info").json()["warnings"]):
            assert time.monotonic() < deadline, "the rate was never compared"
            time.sleep(0.05)
        assert "max-batch-tokens (65536)" in warnings[0] and "default-deadline (100ms)" in warnings[0]
    assert warnings[0] in server.log


def test_a_starts_many_small_pieces_lie_in_huge_pages():
    """What ONNX Runtime registers takes 8 MB, a page fault for every 4 KB otherwise: 2 ms of a start."""
    hugepages = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    offered = hugepages.exists() and "[never]" not in hugepages.read_text()
    with support.Server("--drain-delay", "0s") as server:
        process = pathlib.Path("/proc") / str(server.process.pid)
        has_mimalloc = "libmimalloc" in (process / "maps").read_text()  # KS_MIMALLOC
        huge_kb = int(re.search(r"^AnonHugePages: +(\d+) kB$", (process / "smaps_rollup").read_text(), re.MULTILINE)[1])
        assert huge_kb >= 4096 or not (offered and has_mimalloc), huge_kb


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_an_idle_server(which):
    with support.Server("--drain-delay", "0s") as server:
        server.process.send_signal(which)
        assert server.process.wait(10) == 0


def test_sigterm_flips_readiness_then_still_answers_then_drains():
    with support.Server("--drain-delay", "1s") as server:
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while server.get("/health/ready").status == 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert server.get("/health/live").status == 200
        assert server.post("/predict", {"text": "good"}).status == 200  # still accepting
        assert server.process.wait(10) == 0


def test_sigterm_under_load_loses_no_admitted_request():
    failures, answered = [], []

    def client():
        while True:
            try:
                answer = server.post("/predict", {"text": "a good day"})
            except OSError:
                return  # the listener is gone: nothing was admitted
            if answer.status == 503:
                return
            (answered if answer.status == 200 else failures).append(answer.status)

    with support.Server("--drain-delay", "200ms") as server:
        clients = [threading.Thread(target=client) for _ in range(8)]
        for c in clients:
            c.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        for c in clients:
            c.join(30)
        assert server.process.wait(30) == 0
    assert not failures and len(answered) > 20


def test_a_second_signal_stops_at_once():
    with support.Server("--drain-delay", "60s") as server:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(5)


def test_requests_are_answered_while_nobody_reads_the_log():
    requests, at_once = 100_000, 500
    read_end, write_end = os.pipe()
    try:
        with support.Server(stderr=write_end) as server:
            os.close(write_end)
            with server.connect() as s, s.makefile("rb") as stream:
                for _ in range(requests // at_once):
                    s.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * at_once)
                    for _ in range(at_once):
                        assert support.read_response(stream).status == 200
            [dropped] = [line for line in server.get("/metrics").body.decode().splitlines()
                         if line.startswith("log_dropped_total ")]
            assert float(dropped.split()[1]) > requests / 2
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(20) == 0  # nor does it wait for a reader at its end
        kept = os.read(read_end, 1 << 20).splitlines()
        assert [json.loads(line)["message"] for line in kept[:-1]].count("request") > 100
    finally:
        os.close(read_end)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_runs_as_nobody_without_home_from_a_read_only_package_behind_a_link(tmp_path_factory):
    base = pathlib.Path("/tmp") / f"ks-nobody-{os.getpid()}"
    try:
        base.mkdir(mode=0o755)
        real = copy_model(base / "real")
        (base / "link").symlink_to("real")
        for path in [real, *real.iterdir()]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        # The library and the program may lie where only their owner can go: copy what runs.
        prefix = base / "prefix"
        (prefix / "bin").mkdir(parents=True)
        (prefix / "lib").mkdir()
        shutil.copy2(support.BINARY, prefix / "bin/kubesentiment")
        for library in pathlib.Path(os.environ["KS_ORT_LIB_DIR"]).glob("libonnxruntime.so*"):
            shutil.copy2(library, prefix / "lib", follow_symlinks=True)
        os.chmod(base, 0o755)
        server = support.Server.__new__(support.Server)
        server.port = support.free_port()
        server.url = f"http://127.0.0.1:{server.port}"
        server.start(
            [prefix / "bin/kubesentiment", "serve", "--model", base / "link", "--listen", f"127.0.0.1:{server.port}"],
            user=65534, group=65534, extra_groups=[], cwd="/",
            env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(prefix / "lib")})
        with server:
            assert server.post("/predict", {"text": "I love this"}).json()["label"] == "POSITIVE"
    finally:
        subprocess.run(["chmod", "-R", "u+w", base], check=False)
        shutil.rmtree(base, ignore_errors=True)
