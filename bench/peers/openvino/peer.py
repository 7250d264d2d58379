#!/usr/bin/env python3
"""OpenVINO: the model as it compiles it by default (bf16 where the CPU has it), and quantised by NNCF on training texts."""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
import common  # noqa: E402

REDUCED = not common.has_vnni()
NNCF = f"NNCF INT8, model type transformer, mixed preset{', overflow fix' * REDUCED}, calibrated on 300 training texts"
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
    file = file_of(model, settings)
    if settings["precision"] != NNCF or file.exists():
        return
    import nncf
    import numpy
    import openvino

    tokenizer = common.load_tokenizer(model)
    rows = [numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64) for text in plan["calibration"]]
    fix = nncf.OverflowFix.ENABLE if REDUCED else nncf.OverflowFix.FIRST_LAYER  # the default
    data = nncf.Dataset(rows, lambda ids: {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})
    made = nncf.quantize(openvino.Core().read_model(model / "model.onnx"), data, model_type=nncf.ModelType.TRANSFORMER,
                         preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows),
                         advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix))
    openvino.save_model(made, file, compress_to_fp16=False)


def file_of(model, settings):
    return model / (f"nncf-int8{'-reduced' * REDUCED}.xml" if settings["precision"] == NNCF else "model.onnx")


def open_streams(model, settings):
    """One stream on all cores, and one a core; as many requests wait as run, so that tokenising costs no stream its time."""
    import openvino

    for streams in (1, settings["threads"]):
        hint = "LATENCY" if streams == 1 else "THROUGHPUT"
        compiled = openvino.Core().compile_model(file_of(model, settings), "CPU", {
            "PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": settings["threads"], "NUM_STREAMS": streams})

        def run(batches, keep, compiled=compiled, streams=streams):
            queue = openvino.AsyncInferQueue(compiled, 2 * streams)
            queue.set_callback(lambda request, first: keep(first, request.get_output_tensor(0).data.copy()))
            for first, ids, mask in batches:
                queue.start_async({"input_ids": ids, "attention_mask": mask}, first)
            queue.wait_all()

        yield {"hint": hint, "streams": streams}, run


def load(model, settings, serving):
    import numpy
    import openvino

    file = file_of(model, settings)
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
    common.main(VARIANTS, load, ["nncf", "openvino"], prepare, open_streams)
