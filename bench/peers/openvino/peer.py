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


def prepare(model, settings, plan):
    file = model / "nncf-int8.xml"
    if settings["precision"] != NNCF or file.exists():
        return
    import nncf
    import numpy
    import openvino

    tokenizer = common.load_tokenizer(model)
    rows = [numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64) for text in plan["calibration"]]
    data = nncf.Dataset(rows, lambda ids: {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})
    made = nncf.quantize(openvino.Core().read_model(model / "model.onnx"), data, model_type=nncf.ModelType.TRANSFORMER,
                         preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows))
    openvino.save_model(made, file, compress_to_fp16=False)


def load(model, settings, serving):
    import numpy
    import openvino

    file = model / ("nncf-int8.xml" if settings["precision"] == NNCF else "model.onnx")
    core = openvino.Core()
    # A server with one thread a request keeps both cores busy by two streams, one request object a thread of its pool.
    streams = 2 if serving and settings["threads"] == 1 else 1
    properties = {"PERFORMANCE_HINT": settings["hint"], "INFERENCE_NUM_THREADS": streams * settings["threads"],
                  "NUM_STREAMS": streams}
    if settings["precision"] == "f32":
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    compiled, of_thread = {}, threading.local()

    def request(shape):
        """One compiled model for all shapes, or one for each."""
        requests = of_thread.__dict__
        if shape not in requests:
            if shape not in compiled:
                network = core.read_model(file)
                if shape is not None:
                    network.reshape({port.any_name: list(shape) for port in network.inputs})
                compiled[shape] = core.compile_model(network, "CPU", properties)
            requests[shape] = compiled[shape].create_infer_request()
        return requests[shape]

    def infer(shape, ids, mask):
        return request(shape).infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)[0].copy()

    def static(ids):
        tokens = ids.shape[1]
        shape = (ids.shape[0], common.padded(tokens))
        rows, mask = numpy.zeros((2, *shape), dtype=numpy.int64)
        rows[:, :tokens], mask[:, :tokens] = ids, 1
        return infer(shape, rows, mask)

    if settings["shapes"] == "static":
        return static
    request(None)
    return lambda ids: infer(None, ids, numpy.ones_like(ids))


if __name__ == "__main__":
    common.main(VARIANTS, load, ["nncf", "openvino"], prepare)
