"""The five phases of docs/migration.md, run from the settings as they stand there. What is asserted is what really ran:
the libraries that are mapped, and the series."""

import contextlib
import functools
import pathlib
import re
import time

import pytest

import support

PAGE = (support.SOURCE / "docs" / "migration.md").read_text()
PHASES = re.findall(r"^## (\d)\. .*?^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TEXTS = [f"I have seen this film {i} times and {w} it" for i in range(20) for w in ("love", "hate", "watch")]


@functools.cache
def has_pytorch():
    return support.run("predict", "--model", support.MODEL, "--backend", "pytorch", "fine").returncode == 0


def phase(number, tmp_path, *arguments):
    settings = tmp_path / "phase.toml"
    settings.write_text(dict(PHASES)[str(number)])
    return support.Server("--config", settings, *arguments)


@contextlib.contextmanager
def phase_with_pytorch(*arguments):
    """The server, where this program can open LibTorch; otherwise None, after it has said that it cannot."""
    server = phase(*arguments)
    if has_pytorch():
        with server:
            yield server
    else:
        with contextlib.ExitStack() as stack:
            stack.push(server.__exit__)
            with pytest.raises(AssertionError, match="pytorch"):
                server.wait_ready()
        yield None


def maps(server, library):
    return library in pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()


def sample(server, series):
    """The value of a series, written as the exposition writes it; None where it is absent."""
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(series + " "):
            return float(line.rsplit(" ", 1)[1])
    return None


def runs(server, backend):
    model = server.get("/api/v1/model-info").json()["name"]
    return sample(server, f'ml_inference_duration_seconds_count{{backend="{backend}",model="{model}"}}')


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def predict(server, text, backend=None):
    path = "/api/v1/predict" + (f"?backend={backend}" if backend else "")
    return server.post(path, {"text": text})


def answered_by(server, texts=TEXTS):
    backends = []
    for text in texts:
        answer = predict(server, text)
        assert answer.status == 200, answer.body
        assert answer.headers["X-Model-Backend"] == answer.json()["backend"]
        backends.append(answer.json()["backend"])
    return backends


def assert_refused(server, backend):
    answer = predict(server, "fine", backend)
    assert answer.status == 400
    assert answer.json()["error_code"] == "E2010"
    assert "allowed-backends" in answer.json()["error_message"]


def test_the_page_has_five_phases():
    assert [number for number, _ in PHASES] == ["1", "2", "3", "4", "5"]


def test_phase_1_pytorch_alone(tmp_path):
    with phase_with_pytorch(1, tmp_path) as server:
        if server is None:
            return
        assert set(answered_by(server)) == {"pytorch"}
        assert maps(server, "libtorch_cpu")
        assert runs(server, "pytorch") == len(TEXTS)
        assert runs(server, "onnx") is None
        assert_refused(server, "onnx")


def test_phase_2_onnx_in_the_shadow(tmp_path):
    with phase_with_pytorch(2, tmp_path, "--shadow-share", "1") as server:
        if server is None:
            return
        info = server.get("/api/v1/model-info").json()
        assert info["shadow"] == {"backend": "onnx", "share": 1}
        model = f'model="{info["name"]}"'
        assert sample(server, f"ml_backend_agreement_ratio{{{model}}}") is None
        assert set(answered_by(server)) == {"pytorch"}
        compared = f'ml_shadow_texts_total{{{model},outcome="compared"}}'
        wait_for(lambda: sample(server, compared) == len(TEXTS), 300)  # idle priority: as long as others are busy
        assert sample(server, f"ml_backend_agreement_ratio{{{model}}}") >= 0.95
        assert 0 < sample(server, f"ml_backend_score_drift_max{{{model}}}") < 0.2
        assert runs(server, "pytorch") == len(TEXTS)
        assert runs(server, "onnx") == 0, "the shadow's runs are nobody's answers"
        assert_refused(server, "onnx")


def test_phase_3_onnx_as_the_canary(tmp_path):
    with phase_with_pytorch(3, tmp_path, "--canary-share", "0.25") as server:
        if server is None:
            return
        backends = answered_by(server)
        assert abs(backends.count("onnx") - len(TEXTS) / 4) <= 2
        assert runs(server, "onnx") == backends.count("onnx")
        assert runs(server, "pytorch") == backends.count("pytorch")
        assert predict(server, "fine", "onnx").json()["backend"] == "onnx"


def test_phase_4_onnx_by_default(tmp_path):
    with phase_with_pytorch(4, tmp_path) as server:
        if server is None:
            return
        assert set(answered_by(server)) == {"onnx"}
        assert runs(server, "pytorch") == 0
        assert predict(server, "fine", "pytorch").json()["backend"] == "pytorch"
        assert runs(server, "pytorch") == 1
        assert maps(server, "libtorch_cpu")


def test_phase_5_pytorch_refused(tmp_path):
    with phase(5, tmp_path) as server:
        assert set(answered_by(server)) == {"onnx"}
        assert_refused(server, "pytorch")
        assert runs(server, "onnx") == len(TEXTS)
        assert runs(server, "pytorch") is None
        assert maps(server, "libonnxruntime")
        assert not maps(server, "libtorch")
        info = server.get("/api/v1/model-info").json()
        assert (info["backend"], info["allowed_backends"]) == ("onnx", ["onnx"])
        assert info["canary"] is None and info["shadow"] is None


def test_every_instruction_set_gives_the_same_answers_or_is_refused():
    bodies = set()
    for isa in ("scalar", "avx2", "avx512", "avx512vnni", "amx"):
        server = support.Server("--isa", isa, "--precision", "fp32")
        try:
            server.wait_ready()
        except AssertionError as error:
            assert "which this CPU lacks" in str(error) and "scalar" in str(error)
            continue
        with server:
            server.wait_log(f'"isa":"{isa}"')
            bodies.add(str([predict(server, text).json()["label"] for text in TEXTS[:5]]))
    assert len(bodies) == 1
