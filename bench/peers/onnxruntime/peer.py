#!/usr/bin/env python3
"""ONNX Runtime from Python: its transformer optimiser, then quantize_dynamic (QInt8, per channel) for the int8 variants."""
import json
import os
import pathlib
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
import common  # noqa: E402

OPTIMISED = "onnxruntime.transformers.optimizer, opt_level 0, bert"
REDUCED = not common.has_vnni()
QUANTISED = f"quantize_dynamic, QInt8, per channel{', reduce_range' * REDUCED}"
VARIANTS = {
    "fp32": {"graph": OPTIMISED, "threads": 2},
    "fp32-1": {"graph": OPTIMISED, "threads": 1},
    "int8": {"graph": f"{OPTIMISED}; {QUANTISED}", "threads": 2},
    "int8-1": {"graph": f"{OPTIMISED}; {QUANTISED}", "threads": 1},
    "int8-plain": {"graph": QUANTISED, "threads": 2},
    "int8-plain-1": {"graph": QUANTISED, "threads": 1},
}


def graph_of(model, settings):
    if QUANTISED not in settings["graph"]:
        return model / "ort-optimised.onnx"
    return model / f"ort-int8{'' if OPTIMISED in settings['graph'] else '-plain'}{'-reduced' * REDUCED}.onnx"


def prepare(model, settings, _):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    config = json.loads((model / "config.json").read_text())
    optimised, target = model / "ort-optimised.onnx", graph_of(model, settings)
    if OPTIMISED in settings["graph"] and not optimised.exists():
        made = optimizer.optimize_model(
            str(model / "model.onnx"), model_type="bert", opt_level=0,
            num_heads=config.get("num_attention_heads") or config["n_heads"],
            hidden_size=config.get("hidden_size") or config["dim"])
        made.save_model_to_file(str(optimised))
    if not target.exists():
        source = optimised if OPTIMISED in settings["graph"] else model / "model.onnx"
        quantize_dynamic(str(source), str(target), per_channel=True, reduce_range=REDUCED, weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def load(model, settings, serving):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    session = onnxruntime.InferenceSession(str(graph_of(model, settings)), options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})[0]


if __name__ == "__main__":
    common.main(VARIANTS, load, ["onnxruntime"], prepare)
