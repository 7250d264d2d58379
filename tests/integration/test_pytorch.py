"""The PyTorch backend: the same answers, and LibTorch in the process only when asked for."""

import pathlib
import shutil

import pytest

import support
import truth

PLUGIN = pathlib.Path(support.BINARY).parent.parent / "lib" / "libkubesentiment_torch.so"

needs_plugin = pytest.mark.skipif(not PLUGIN.exists(), reason=f"{PLUGIN.name} was not built: no LibTorch, or KS_TORCH=OFF")


def mapped_libraries(pid):
    """The names of the files that a process has mapped."""
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {pathlib.PurePath(fields[5]).name for fields in (line.split(maxsplit=5) for line in lines) if len(fields) == 6}


def answer_of(server, path="/api/v1/predict"):
    answer = server.post(path, {"text": "I love this"})
    assert answer.status == 200, answer.body
    return answer.json()


@needs_plugin
def test_predict_gives_the_labels_and_probabilities_of_pytorch():
    truth.compare_predict(*truth.read_golden(support.SOURCE / "tests/golden/goemotions500.jsonl"), "--backend", "pytorch")


def test_libtorch_is_not_in_the_process_unless_asked_for(server):
    assert answer_of(server)["label"] == "POSITIVE"
    mapped = mapped_libraries(server.process.pid)
    assert any(name.startswith("libonnxruntime") for name in mapped)
    assert not {name for name in mapped if "torch" in name or "c10" in name or "gomp" in name}


@needs_plugin
def test_libtorch_answers_where_it_was_asked_for():
    with support.Server("--backend", "pytorch", "--threads", "1") as server:
        assert answer_of(server)["label"] == "POSITIVE"
        assert {PLUGIN.name, "libtorch_cpu.so", "libc10.so"} <= mapped_libraries(server.process.pid)
        metrics = server.get("/metrics").body.decode()
        assert 'backend="pytorch"' in metrics and 'backend="onnx"' not in metrics


@needs_plugin
def test_both_answer_in_one_process():
    with support.Server("--allowed-backends", "onnx,pytorch", "--precision", "fp32", "--threads", "1") as server:
        by_onnx = answer_of(server)
        by_pytorch = answer_of(server, "/api/v1/predict?backend=pytorch")
        assert by_onnx["score"] == pytest.approx(by_pytorch["score"], abs=1e-5)
        assert by_onnx["label"] == by_pytorch["label"] == "POSITIVE"


def test_a_missing_plugin_says_what_to_install(tmp_path):
    program = shutil.copy(support.BINARY, tmp_path / "kubesentiment")
    done = support.run("predict", "--model", support.MODEL, "--backend", "pytorch", "I love this", program=program)
    assert done.returncode == 3 and done.stdout == b""
    message = done.stderr.decode()
    assert "lib/libkubesentiment_torch.so is not there" in message and "scripts/setup test" in message


def test_int8_is_not_pytorchs():
    done = support.run("predict", "--model", support.MODEL, "--backend", "pytorch", "--precision", "int8", "I love this")
    assert done.returncode == 2 and b"pytorch, which has fp32 alone" in done.stderr
