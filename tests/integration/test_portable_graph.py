"""portable.onnx and portable_int8.onnx are what others can use: valid by ONNX's own checker, and right in the `onnxruntime`
package."""

import json
import os
import pathlib
import shutil
import subprocess

import numpy
import onnx
import pytest

import portable
import support
import truth

GOLDEN = json.loads((support.SOURCE / "tests/golden/model_logits.json").read_text())
MODELS = ["default", "tiny_bert", "tiny_distilbert"]
FP32, INT8 = "portable.onnx", "portable_int8.onnx"
# Where the weights lie: int8 shares embeddings, scales and biases with the serving form.
FILES = {FP32: {"model.safetensors"}, INT8: {"int8.bin", "portable_int8.bin"}}

both_graphs = pytest.mark.parametrize("graph", [FP32, INT8])
all_models = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Directory of each model's package."""
    scratch = tmp_path_factory.mktemp("portable")
    made = {"default": pathlib.Path(support.MODEL)}
    for architecture in ("bert", "distilbert"):
        checkpoint = scratch / architecture
        package = scratch / f"{architecture}_package"
        subprocess.run([os.environ["KS_TINY_CHECKPOINT"], checkpoint, architecture], check=True)
        done = support.run("convert", checkpoint, "--output", package, "--portable")
        assert done.returncode == 0, done.stderr.decode()
        made["tiny_" + architecture] = package
    return made


def open_graph(path):
    """As portable.run_padded takes it: a function and the names of its inputs."""
    run, session = portable.open_onnxruntime(path)
    return run, [i.name for i in session.get_inputs()]


def run_alone(path, sequences):
    run, names = open_graph(path)
    return numpy.concatenate([portable.run_padded(run, names, [sequence]) for sequence in sequences])


def golden_texts(package, count):
    """The first rows of the golden file, with PyTorch's logits, and their ids."""
    header, rows = truth.read_golden(support.SOURCE / "tests/golden/goemotions500.jsonl")
    tokenizer = portable.load_tokenizer(package, header["window"])
    return header, rows[:count], [tokenizer.encode(row["text"]).ids for row in rows[:count]]


@both_graphs
@all_models
def test_passes_the_checker(packages, model, graph):
    onnx.checker.check_model(str(packages[model] / graph), full_check=True)


def test_inspect_verifies_the_files_of_int8(packages, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(packages["tiny_bert"], package)
    files = json.loads(support.run("inspect", package, "--verify", "--json").stdout)["files"]
    portable_files = {f["name"]: f["optional"] for f in files if f["name"].startswith("portable_int8")}
    assert portable_files == {"portable_int8.onnx": True, "portable_int8.bin": True}
    with open(package / "portable_int8.bin", "r+b") as damaged:
        damaged.seek(-1, os.SEEK_END)
        damaged.write(b"\x80")
    done = support.run("inspect", package, "--verify")
    assert done.returncode == 3 and b"portable_int8.bin" in done.stderr
    (package / "portable_int8.bin").unlink()
    assert support.run("inspect", package, "--verify").returncode == 0


@both_graphs
@all_models
def test_needs_only_opset_14_and_the_packages_weights(packages, model, graph):
    read = onnx.load(packages[model] / graph, load_external_data=False)
    assert [(s.domain, s.version) for s in read.opset_import] == [("", 14)]
    assert {n.domain for n in read.graph.node} == {""}
    external = [t for t in read.graph.initializer if t.external_data]
    assert {e.value for t in external for e in t.external_data if e.key == "location"} == FILES[graph]
    # What is inside is constants; a weight there would be a copy.
    assert all(len(t.raw_data) <= 64 for t in read.graph.initializer)


@both_graphs
@all_models
def test_has_the_promised_inputs_and_output(packages, model, graph):
    _, session = portable.open_onnxruntime(packages[model] / graph)
    types = [] if model == "tiny_distilbert" else ["token_type_ids"]
    assert [i.name for i in session.get_inputs()] == ["input_ids", "attention_mask", *types]
    assert {i.type for i in session.get_inputs()} == {"tensor(int64)"}
    assert {tuple(i.shape) for i in session.get_inputs()} == {("batch", "sequence")}
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [("logits", "tensor(float)", ["batch", 3])]


@pytest.mark.parametrize("graph, share", [(FP32, 1e-4), (INT8, 0.05)])
@all_models
def test_gives_the_logits_of_pytorch(packages, model, graph, share):
    """Alone, without padding, and as one padded batch; int8 nearly."""
    path = packages[model] / graph
    run, names = open_graph(path)
    cases = GOLDEN[model]["cases"]
    sequences = [(case["ids"], case["first_segment"]) for case in cases]
    want = numpy.array([case["logits"] for case in cases])
    tolerance = share * numpy.abs(want).max()
    assert numpy.abs(run_alone(path, sequences) - want).max() <= tolerance
    assert numpy.abs(portable.run_padded(run, names, sequences) - want).max() <= tolerance


@both_graphs
def test_ignores_padding_of_any_width(packages, graph):
    run, names = open_graph(packages["tiny_bert"] / graph)
    sequence = ([2, 7, 9, 3], 4)
    alone = portable.run_padded(run, names, [sequence])
    assert numpy.abs(portable.run_padded(run, names, [sequence], padding=36) - alone).max() <= 1e-5


def test_gives_the_logits_of_pytorch_for_real_texts(packages):
    _, rows, ids = golden_texts(packages["default"], 128)
    want = numpy.array([row["logits"] for row in rows])
    got = portable.run_all(*open_graph(packages["default"] / FP32), ids)
    assert numpy.abs(got - want).max() <= 1e-4 * numpy.abs(want).max()


def test_int8_says_what_the_served_int8_says(packages):
    """The same weights, scales and zero points in all dense layers. Attention is in fp32 here and over bytes there; the rest is
    float arithmetic in another order. How far both are from fp32 over more texts: tests/slow."""
    header, rows, ids = golden_texts(packages["default"], 500)
    logits = portable.run_all(*open_graph(packages["default"] / INT8), ids)
    got = numpy.array([truth.softmax(row, truth.temperature_of()) for row in logits])
    stdin = "".join(json.dumps({"text": row["text"]}) + "\n" for row in rows).encode()
    done = support.run("predict", "--input", "-", "--format", "jsonl", "--precision", "int8", "--model", support.MODEL,
                       stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    served = numpy.array([[answer["scores"][label] for label in header["labels"]] for answer in answers])
    assert (got.argmax(1) == served.argmax(1)).mean() >= 0.99
    assert numpy.abs(got - served).mean() <= 3e-3
    fp32 = numpy.array([row["logits"] for row in rows])
    assert (got.argmax(1) == fp32.argmax(1)).mean() >= 0.985


def test_int8_does_not_depend_on_the_batch(packages):
    path = packages["default"] / INT8
    _, _, ids = golden_texts(packages["default"], 64)
    alone = run_alone(path, [(row, len(row)) for row in ids])
    batched = portable.run_all(*open_graph(path), ids)
    # A scale for the whole batch would move logits by several tenths.
    assert numpy.abs(batched - alone).max() <= 0.02


def test_int8_suits_onnxruntimes_precise_mode(packages):
    """Which rewrites the matrices, so that CPUs without VNNI sum exactly."""
    path = packages["default"] / INT8
    _, _, ids = golden_texts(packages["default"], 64)
    precise, session = portable.open_onnxruntime(path, precise=True)
    got = portable.run_all(precise, [i.name for i in session.get_inputs()], ids)
    assert numpy.abs(got - portable.run_all(*open_graph(path), ids)).max() <= 0.02
