"""portable.onnx is what others can use: valid by ONNX's own checker, and right in the `onnxruntime` package."""

import json
import os
import pathlib
import subprocess

import numpy
import onnx
import onnxruntime
import pytest
import tokenizers

import support
import truth

GOLDEN = json.loads((support.SOURCE / "tests/golden/model_logits.json").read_text())
MODELS = ["default", "tiny_bert", "tiny_distilbert"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Directory of each model's package."""
    scratch = tmp_path_factory.mktemp("portable")
    made = {"default": pathlib.Path(support.MODEL)}
    for architecture in ("bert", "distilbert"):
        checkpoint = scratch / architecture
        package = scratch / f"{architecture}_package"
        subprocess.run([os.environ["KS_TINY_CHECKPOINT"], checkpoint, architecture], check=True)
        done = support.run("convert", checkpoint, "--output", package)
        assert done.returncode == 0, done.stderr.decode()
        made["tiny_" + architecture] = package
    return made


def open_session(package):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(package / "portable.onnx", options, providers=["CPUExecutionProvider"])


def run_padded(session, sequences, padding=0):
    """Logits of (ids, first_segment) pairs as one batch, `padding` tokens wider than its longest."""
    width = max(len(ids) for ids, _ in sequences) + padding
    inputs = {name: numpy.zeros((len(sequences), width), numpy.int64)
              for name in ("input_ids", "attention_mask", "token_type_ids")}
    for row, (ids, first_segment) in enumerate(sequences):
        inputs["input_ids"][row, :len(ids)] = ids
        inputs["attention_mask"][row, :len(ids)] = 1
        inputs["token_type_ids"][row, first_segment:len(ids)] = 1
    wanted = {i.name for i in session.get_inputs()}
    return session.run(["logits"], {name: value for name, value in inputs.items() if name in wanted})[0]


@pytest.mark.parametrize("model", MODELS)
def test_passes_the_checker(packages, model):
    onnx.checker.check_model(str(packages[model] / "portable.onnx"), full_check=True)


@pytest.mark.parametrize("model", MODELS)
def test_needs_only_opset_14_and_the_packages_weights(packages, model):
    graph = onnx.load(packages[model] / "portable.onnx", load_external_data=False)
    assert [(s.domain, s.version) for s in graph.opset_import] == [("", 14)]
    assert {n.domain for n in graph.graph.node} == {""}
    external = [t for t in graph.graph.initializer if t.external_data]
    assert {e.value for t in external for e in t.external_data if e.key == "location"} == {"model.safetensors"}
    # What is inside is constants; a weight there would be a copy.
    assert all(len(t.raw_data) <= 64 for t in graph.graph.initializer)


@pytest.mark.parametrize("model", MODELS)
def test_has_the_promised_inputs_and_output(packages, model):
    session = open_session(packages[model])
    types = [] if model == "tiny_distilbert" else ["token_type_ids"]
    assert [i.name for i in session.get_inputs()] == ["input_ids", "attention_mask", *types]
    assert {i.type for i in session.get_inputs()} == {"tensor(int64)"}
    assert {tuple(i.shape) for i in session.get_inputs()} == {("batch", "sequence")}
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [("logits", "tensor(float)", ["batch", 3])]


@pytest.mark.parametrize("model", MODELS)
def test_gives_the_logits_of_pytorch(packages, model):
    """Alone, without padding, and as one padded batch."""
    session = open_session(packages[model])
    cases = GOLDEN[model]["cases"]
    sequences = [(case["ids"], case["first_segment"]) for case in cases]
    want = numpy.array([case["logits"] for case in cases])
    tolerance = 1e-4 * numpy.abs(want).max()
    alone = numpy.concatenate([run_padded(session, [sequence]) for sequence in sequences])
    assert numpy.abs(alone - want).max() <= tolerance
    assert numpy.abs(run_padded(session, sequences) - want).max() <= tolerance


def test_ignores_padding_of_any_width(packages):
    session = open_session(packages["tiny_bert"])
    sequence = ([2, 7, 9, 3], 4)
    alone = run_padded(session, [sequence])
    assert numpy.abs(run_padded(session, [sequence], padding=36) - alone).max() <= 1e-5


def test_gives_the_logits_of_pytorch_for_real_texts(packages):
    header, rows = truth.read_golden(support.SOURCE / "tests/golden/goemotions500.jsonl")
    rows = rows[:128]
    tokenizer = tokenizers.Tokenizer.from_file(str(packages["default"] / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(header["window"])
    session = open_session(packages["default"])
    encoded = [tokenizer.encode(row["text"]) for row in rows]
    got = numpy.concatenate([
        run_padded(session, [(e.ids, len(e.ids)) for e in encoded[start:start + 16]]) for start in range(0, len(rows), 16)])
    want = numpy.array([row["logits"] for row in rows])
    assert numpy.abs(got - want).max() <= 1e-4 * numpy.abs(want).max()
