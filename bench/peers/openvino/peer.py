#!/usr/bin/env python3
"""OpenVINO: the model as it compiles it by default (bf16 where the CPU has it), and quantised by NNCF on training texts."""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
import common  # noqa: E402

NNCF = "NNCF INT8, model type transformer, mixed preset, calibrated on 300 training texts"
VARIANTS = {
    "fp32": {"precision": "f32", "shapes": "dynamic", "hint": "LATENCY", "threads": 2},
    "default": {"precision": "default", "shapes": "dynamic", "hint": "LATENCY", "threads": 2},
    "default-static": {"precision": "default", "shapes": "static", "hint": "LATENCY", "threads": 2},
    "int8": {"precision": NNCF, "shapes": "dynamic", "hint": "LATENCY", "threads": 2},
    "int8-1": {"precision": NNCF, "shapes": "dynamic", "hint": "LATENCY", "threads": 1},
    "int8-static": {"precision": NNCF, "shapes": "static", "hint": "LATENCY", "threads": 2},
    "int8-static-1": {"precision": NNCF, "shapes": "static", "hint": "LATENCY", "threads": 1},
}


def quantise(model, texts):
    import nncf
    import numpy
    import openvino

    tokenizer = common.load_tokenizer(model)
    rows = [numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64) for text in texts]
    data = nncf.Dataset(rows, lambda ids: {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})
    made = nncf.quantize(openvino.Core().read_model(model / "model.onnx"), data, model_type=nncf.ModelType.TRANSFORMER,
                         preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows))
    openvino.save_model(made, model / "nncf-int8.xml", compress_to_fp16=False)


def load(model, settings, plan):
    import numpy
    import openvino

    model = pathlib.Path(model)
    quantised = settings["precision"] == NNCF
    file = model / ("nncf-int8.xml" if quantised else "model.onnx")
    if quantised and not file.exists():
        quantise(model, plan["calibration"])
    core = openvino.Core()
    # A server with one thread a request keeps both cores busy by two streams, one request object a thread of its pool.
    streams = 2 if plan is None and settings["threads"] == 1 else 1
    properties = {"PERFORMANCE_HINT": settings["hint"], "INFERENCE_NUM_THREADS": streams * settings["threads"],
                  "NUM_STREAMS": streams}
    if settings["precision"] == "f32":
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    compiled, of_thread = {}, threading.local()

    def request(shape):
        """One compiled model for all shapes, or one for each."""
        key = shape if settings["shapes"] == "static" else None
        requests = of_thread.__dict__
        if key not in requests:
            if key not in compiled:
                network = core.read_model(file)
                if key is not None:
                    network.reshape({port.any_name: list(shape) for port in network.inputs})
                compiled[key] = core.compile_model(network, "CPU", properties)
            requests[key] = compiled[key].create_infer_request()
        return requests[key]

    def logits(ids):
        result = request(ids.shape).infer({"input_ids": ids, "attention_mask": numpy.ones_like(ids)}, share_inputs=True)
        return result[0].copy()

    if settings["shapes"] == "dynamic":
        request(None)
    return logits


if __name__ == "__main__":
    common.main(VARIANTS, load, ["nncf", "openvino"])
