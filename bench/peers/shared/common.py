"""What every peer shares: the same texts, the same timing, the same server around its model.

A peer's own file calls main() with its variants (name: settings, printed as they are) and a function that loads one. What
that returns is called with token ids, int64 [B, S], all rows of one length, and gives logits, float [B, C]. A third function
makes what the first loads, once: converted or quantised files beside the model.

    peer.py prepare --model DIR --variant NAME --plan PLAN.json     makes those files
    peer.py measure --model DIR --variant NAME --plan PLAN.json     answers and times in this process; JSON on stdout
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
LENGTHS = (16, 32, 64, 128, 256)


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
    import numpy

    return numpy.random.default_rng(1).integers(0, vocab_size, (batch, tokens), dtype=numpy.int64)


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


def main(variants, load, packages, prepare=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["prepare", "measure", "serve"])
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
    if arguments.command == "measure":
        result = measure(load(model, settings, serving=False), model, plan)
        result["versions"] = {package: importlib.metadata.version(package) for package in packages}
        result["settings"] = settings
    elif prepare is not None:
        prepare(model, settings, plan)
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file)
