"""portable_int8.onnx in ONNX Runtime and in OpenVINO keeps the labels that fp32 gives texts of four dev files, which need
../shared and the Python of `scripts/bench-peer openvino`."""

import json
import os
import pathlib
import subprocess
import sys

import numpy
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import portable  # noqa: E402
import support  # noqa: E402
import text_list  # noqa: E402
import truth  # noqa: E402

DATA = pathlib.Path(os.environ["KS_SHARED"]) / "data"
FILES = ["sst2/dev.tsv", "semeval2017/dev.tsv", "goemotions-3class/dev.tsv.xz", "amazon5/dev.tsv.xz"]
EACH = 750
MODEL = pathlib.Path(support.MODEL)


def softmax(logits):
    return numpy.array([truth.softmax(row, 1) for row in logits])


def compare(name, logits, reference):
    """Share of texts with the same label."""
    agreement = (logits.argmax(1) == reference.argmax(1)).mean()
    differences = numpy.abs(softmax(logits) - softmax(reference))
    print(f"{name}: agreement {agreement:.2%} of {len(logits)}, |dp| mean {differences.mean():.1e}, max {differences.max():.1e}")
    return agreement


@pytest.fixture(scope="module")
def sequences():
    tokenizer = portable.load_tokenizer(MODEL, json.loads((MODEL / "manifest.json").read_text())["window"])
    texts = [text for name in FILES for _, text in text_list.read_rows(DATA / name)[:EACH]]
    return [encoded.ids for encoded in tokenizer.encode_batch(texts)]


def onnxruntime_logits(graph, sequences):
    run, session = portable.open_onnxruntime(MODEL / graph)
    return portable.run_all(run, [i.name for i in session.get_inputs()], sequences)


def openvino_logits(graph, sequences, scratch):
    ids, out = scratch / "ids.json", scratch / "logits.npy"
    ids.write_text(json.dumps(sequences))
    script = pathlib.Path(__file__).parent / "openvino_logits.py"
    subprocess.run([os.environ["KS_OPENVINO_PYTHON"], script, MODEL / graph, ids, out], check=True)
    return numpy.load(out)


def test_int8_keeps_what_fp32_says_in_both_runtimes(sequences, tmp_path):
    fp32 = onnxruntime_logits("portable.onnx", sequences)
    in_onnxruntime = onnxruntime_logits("portable_int8.onnx", sequences)
    in_openvino = openvino_logits("portable_int8.onnx", sequences, tmp_path)
    assert compare("ONNX Runtime, int8 against fp32", in_onnxruntime, fp32) >= 0.993
    assert compare("OpenVINO, int8 against ONNX Runtime's fp32", in_openvino, fp32) >= 0.993
    # The same integers; the floats between them round otherwise here and there.
    assert compare("int8 in OpenVINO against ONNX Runtime", in_openvino, in_onnxruntime) >= 0.997
