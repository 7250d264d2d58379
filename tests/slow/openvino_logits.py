"""openvino_logits.py GRAPH IDS OUT: logits of the sequences of a JSON file in OpenVINO, as .npy; for test_portable.py, in the
Python of build/bench/venv-openvino."""

import json
import pathlib
import sys

import numpy
import openvino

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))

import portable  # noqa: E402

graph, ids, out = sys.argv[1:]
core = openvino.Core()
# By default the CPU may compute in bfloat16.
compiled = core.compile_model(core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
request = compiled.create_infer_request()
names = [port.any_name for port in compiled.inputs]
sequences = json.loads(pathlib.Path(ids).read_text())
numpy.save(out, portable.run_all(lambda inputs: request.infer(inputs)[0].copy(), names, sequences))
