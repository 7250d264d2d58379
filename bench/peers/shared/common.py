"""What every peer shares: the same texts, the same timing, the same server around its model.

A peer's own file calls main() with its variants (name: settings, printed as they are) and a function that loads one. What
that returns is called with token ids, int64 [B, S], all rows of one length, and gives logits, float [B, C]. A third function
makes what the first loads, once: converted or quantised files beside the model.

    peer.py prepare --model DIR --variant NAME --plan PLAN.json     makes those files
    peer.py measure --model DIR --variant NAME --plan PLAN.json     answers and times in this process; JSON on stdout
    peer.py texts --model DIR --variant NAME --plan PLAN.json       texts a second in arrival order; JSON on stdout
    peer.py serve --model DIR --variant NAME --port N               POST /predict {"text": ".."} over FastAPI and uvicorn
"""
import argparse
import importlib.metadata
import json
import math
import os
import pathlib
import time

WINDOW = 256
# What fixes its shapes beforehand pads texts to the next of these.
LENGTHS = (8, 16, 32, 64, 128, 256)


def has_vnni():
    """Without it sums of two 8-bit products saturate in 16 bits, and peers want weights of 7 bits."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return bool({"avx512_vnni", "avx_vnni", "asimddp"} & set(file.read().split()))


def padded(tokens):
    return next(length for length in LENGTHS if length >= tokens)


def shapes_of(model, plan):
    """All shapes that measure() will ask for where texts are padded."""
    tokenizer = load_tokenizer(model)
    texts = {(1, padded(len(tokenizer.encode(text).ids))) for text in plan["texts"]}
    return sorted(texts | {(batch, tokens) for batch, tokens, _ in plan["shapes"]})


def load_tokenizer(model):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(WINDOW)
    return tokenizer


def random_ids(batch, tokens, vocab_size):
    """Those of `kubesentiment bench`: the numbers of std::mt19937(1), modulo the vocabulary."""
    import numpy

    numbers = numpy.random.RandomState(1).randint(0, 2**32, (batch, tokens), dtype=numpy.uint32)
    return (numbers % vocab_size).astype(numpy.int64)


def time_runs(run, samples, seconds, least):
    """Milliseconds of each of `samples` runs, or of as many as `seconds` allow, but of `least`; after a short warm-up."""
    end, count = time.perf_counter() + min(seconds, 1.5) / 5, 0
    while time.perf_counter() < end or count < min(least, 3):
        run()
        count += 1
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or (len(times) < samples and time.perf_counter() < end):
        before = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - before) / 1e6)
    return times


def percentile(times, percent):
    return sorted(times)[max(math.ceil(len(times) * percent / 100), 1) - 1]


def measure(logits, model, plan):
    import numpy

    config = json.loads((model / "config.json").read_text())
    tokenizer = load_tokenizer(model)
    rows = [numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64) for text in plan["texts"]]
    answers = [[round(float(value), 6) for value in numpy.asarray(logits(row)).reshape(-1)] for row in rows]
    latency = {}
    for batch, tokens, samples in plan["shapes"]:
        ids = random_ids(batch, tokens, config["vocab_size"])
        times = time_runs(lambda: logits(ids), samples, plan["seconds"], plan["least_runs"])
        latency[f"{batch}x{tokens}"] = {"p50_ms": percentile(times, 50), "p99_ms": percentile(times, 99), "count": len(times)}
    return {"logits": answers, "latency": latency}


def padded_batches(tokenizer, texts, size):
    """(index of the first, ids [B, S], mask [B, S]) of `size` texts at a time in their order, padded to the longest of them."""
    import numpy

    for first in range(0, len(texts), size):
        rows = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts[first:first + size])]
        ids, mask = numpy.zeros((2, len(rows), max(map(len, rows))), dtype=numpy.int64)
        for i, row in enumerate(rows):
            ids[i, :len(row)], mask[i, :len(row)] = row, 1
        yield first, ids, mask


def measure_texts(open_stream, model, plan):
    """Texts to logits, tokenised on the way. Every setting of open_stream is tried with every batch size for a moment, after
    a warm-up as long; the best two then take all texts twice, and the faster of their second times counts."""
    import numpy

    tokenizer = load_tokenizer(model)
    texts, answers = plan["texts"], {}

    def keep(first, rows):
        for i, row in enumerate(numpy.asarray(rows)):
            answers[first + i] = [round(float(value), 6) for value in row]

    def rate(run, size, seconds=math.inf):
        begun, taken = time.perf_counter(), 0

        def until_over():
            nonlocal taken
            for batch in padded_batches(tokenizer, texts, size):
                taken += len(batch[1])
                yield batch
                if time.perf_counter() - begun > seconds:
                    return

        run(until_over(), keep)
        return taken / (time.perf_counter() - begun)

    tried = []
    for settings, opened in open_stream():
        for size in plan["batch_sizes"]:
            rate(opened, size, plan["trial_seconds"])
            tried.append((rate(opened, size, plan["trial_seconds"]), settings, size, opened))
    tried.sort(key=lambda one: -one[0])
    best = (0, None, None)
    for _, settings, size, opened in tried[:2]:
        if plan["warm_texts"]:
            rate(opened, size)
        best = max(best, (rate(opened, size), settings, size), key=lambda one: one[0])
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts))
    return {"logits": [answers[i] for i in range(len(texts))], "texts_per_second": best[0], "tokens": tokens,
            "best": {**best[1], "batch": best[2]},
            "tried": [{**settings, "batch": size, "texts_per_second": speed} for speed, settings, size, _ in tried]}


def serve(logits, model, port, one_at_a_time):
    """`one_at_a_time`: runs on the event loop, for a model that uses all cores by itself; otherwise on the thread pool."""
    import numpy
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Request(BaseModel):
        text: str

    config = json.loads((model / "config.json").read_text())
    labels = [config["id2label"][key] for key in sorted(config["id2label"], key=int)]
    tokenizer = load_tokenizer(model)
    app = FastAPI()

    def answer(text):
        row = numpy.asarray(logits(numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64)), dtype=numpy.float64)
        shares = numpy.exp(row[0] - row[0].max())
        shares /= shares.sum()
        best = int(shares.argmax())
        return {"label": labels[best], "score": float(shares[best]), "scores": dict(zip(labels, map(float, shares)))}

    if one_at_a_time:
        @app.post("/predict")
        async def predict(request: Request):
            return answer(request.text)
    else:
        @app.post("/predict")
        def predict(request: Request):
            return answer(request.text)

    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)


def main(variants, load, packages, prepare=None, open_streams=None):
    """`open_streams(model, settings)`: of peers that `texts` is for. Yields pairs of settings, as they are printed, and a
    function (batches, keep) that calls keep(first, logits [B, C]) for each of the batches (first, ids, mask)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["prepare", "measure", "texts", "serve"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--variant", required=True, choices=variants)
    parser.add_argument("--plan")
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    model, settings = pathlib.Path(arguments.model), variants[arguments.variant]
    plan = json.loads(pathlib.Path(arguments.plan).read_text()) if arguments.plan else None
    output = os.dup(1)  # converters talk on standard output, which is for the result alone
    os.dup2(2, 1)
    result = {}
    if arguments.command == "serve":
        serve(load(model, settings, serving=True), model, arguments.port, settings["threads"] > 1)
        return
    if arguments.command in ("measure", "texts"):
        result = (measure(load(model, settings, serving=False), model, plan) if arguments.command == "measure" else
                  measure_texts(lambda: open_streams(model, settings), model, plan))
        result["versions"] = {package: importlib.metadata.version(package) for package in packages}
        result["settings"] = settings
    elif prepare is not None:
        prepare(model, settings, plan)
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file)
