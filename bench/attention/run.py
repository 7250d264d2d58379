#!/usr/bin/env python3
"""Our attention against ONNX Runtime's MultiHeadAttention with a mask, on ragged batches: first that the outputs agree.

    bench/attention/run.py --ours build/dev/src/kernels/attention_ours [--isa avx2] [--batches 24]

One core each. A batch is 16 consecutive texts of semeval2017/test, or of imdb/test cut at 256 tokens, from
$KUBESENTIMENT_SHARED or ../shared; batches are taken at even distances from the whole set. Ours reads them packed;
ONNX Runtime gets them padded, [16, longest, H], with a key padding mask (com.microsoft MultiHeadAttention, float32, one
thread, optimisation level 0, buffers bound beforehand), which is how a batch of unlike texts reaches it. Padding and
unpadding are not counted. Ours is timed in fp32, and in int8 with its quantisation of keys and values. Each batch's
time is the median of its rounds. The bars are those of docs/performance.md.
"""
import argparse
import glob
import lzma
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TEXTS = 16
SETS = {"semeval2017": (512, {"fp32": 6.0, "int8": 6.0}), "imdb": (256, {"fp32": 2.0, "int8": 3.0})}  # window and bars
SHAPES = {"MiniLM": (12, 32), "DistilBERT": (12, 64)}
TOLERANCES = {"fp32": 2e-6, "int8": 0.01}  # of values whose weighted means stay within 1


def lengths_of(shared, name, window, batches):
    """The token counts of `batches` runs of 16 consecutive texts, evenly spread."""
    path = glob.glob(os.path.join(shared, "data", name, "test*"))
    if not path:
        sys.exit(f"run.py: no data/{name}/test* under {shared}; set KUBESENTIMENT_SHARED")
    opener = lzma.open if path[0].endswith(".xz") else open
    with opener(path[0], "rt", encoding="utf-8", newline="\n") as file:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in file]
    tokenizer = Tokenizer.from_file(os.path.join(ROOT, "models", "default", "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    starts = [i * (len(texts) // TEXTS) // batches * TEXTS for i in range(batches)]
    return [[len(encoded.ids) for encoded in tokenizer.encode_batch(texts[start:start + TEXTS])] for start in starts]


def peer(heads, width):
    names = ["query", "key", "value"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "s", width]) for name in names]
    inputs.append(helper.make_tensor_value_info("mask", TensorProto.INT32, ["b", "s"]))
    node = helper.make_node("MultiHeadAttention", [*names, "", "mask"], ["out"], domain="com.microsoft", num_heads=heads)
    graph = helper.make_graph([node], "attention", inputs,
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", "s", width])])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def padded(lengths, packed):
    """Rows of one batch [T, W] as [B, S, W], and back."""
    out = np.zeros((len(lengths), max(lengths), packed.shape[1]), np.float32)
    row = 0
    for i, length in enumerate(lengths):
        out[i, :length] = packed[row:row + length]
        row += length
    return out


def time_peer(session, lengths, qkv, rounds):
    """Median seconds, and the output of the rows that are texts [T, H]."""
    width = qkv.shape[1] // 3
    binding = session.io_binding()
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int32)
    inputs = [padded(lengths, qkv[:sum(lengths), i * width:(i + 1) * width]) for i in range(3)] + [mask]
    for name, value in zip(["query", "key", "value", "mask"], inputs):
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    out = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty_like(inputs[0]))
    binding.bind_ortvalue_output("out", out)
    times = []
    for _ in range(rounds + 1):  # the first is not counted
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        times.append(time.perf_counter() - start)
    values = out.numpy()
    return statistics.median(times[1:]), np.concatenate([values[i, :n] for i, n in enumerate(lengths)])


def compare(name, batches, shape, arguments, folder):
    """Seconds of the peer, and of ours in each precision, over all batches."""
    heads, head_size = SHAPES[shape]
    width = heads * head_size
    longest = max(map(sum, batches))
    qkv = np.random.default_rng(1).uniform(-1, 1, (longest, 3 * width)).astype(np.float32)
    files = {key: os.path.join(folder, key) for key in ("lengths", "qkv", "out")}
    qkv.tofile(files["qkv"])
    with open(files["lengths"], "w", encoding="utf-8") as file:
        file.writelines(" ".join(map(str, lengths)) + "\n" for lengths in batches)
    ours, outputs = {}, {}
    for precision in TOLERANCES:
        command = [arguments.ours, precision, str(heads), str(head_size), str(arguments.rounds), *files.values()]
        done = subprocess.run(command + ([arguments.isa] if arguments.isa else []), check=True, stdout=subprocess.PIPE, text=True)
        ours[precision] = sum(int(line) for line in done.stdout.split()) / 1e9
        outputs[precision] = np.fromfile(files["out"], np.float32).reshape(-1, width)
    session = peer(heads, width)
    row, theirs = 0, 0.0
    for number, lengths in enumerate(batches):
        seconds, expected = time_peer(session, lengths, qkv, arguments.rounds)
        for precision, tolerance in TOLERANCES.items():
            worst = float(np.abs(outputs[precision][row:row + len(expected)] - expected).max())
            if not worst <= tolerance:
                sys.exit(f"run.py: {name}, {shape}, {precision}, batch {number}: the outputs differ by {worst:.1e}, expected at "
                         f"most {tolerance:.0e}")
        row += len(expected)
        theirs += seconds
    return theirs, ours


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--isa", default="", help="one instruction set of ours instead of the best")
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    shared = os.environ.get("KUBESENTIMENT_SHARED", os.path.join(ROOT, "..", "shared"))
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    print(f"{cpu}, one core, ONNX Runtime {onnxruntime.__version__}, {arguments.batches} batches of {TEXTS} texts, "
          f"median of {arguments.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        for name, (window, bars) in SETS.items():
            batches = lengths_of(shared, name, window, arguments.batches)
            tokens = sum(map(sum, batches))
            fill = tokens / sum(max(lengths) * len(lengths) for lengths in batches)
            for shape in SHAPES:
                theirs, ours = compare(name, batches, shape, arguments, folder)
                for precision, seconds in ours.items():
                    ratio, bar = theirs / seconds, bars[precision]
                    verdict = "met" if ratio >= bar else f"short by {bar - ratio:.2f}"
                    print(f"{name:12} {shape:10} {precision}  {tokens / len(batches) / TEXTS:5.0f} tokens a text, {fill:4.0%} of the "
                          f"padded   onnxruntime {theirs / tokens * 1e6:6.2f} us a token   ours {seconds / tokens * 1e6:6.2f}   "
                          f"{ratio:5.2f} x   bar {bar:g} x: {verdict}", flush=True)


if __name__ == "__main__":
    main()
