#!/usr/bin/env python3
"""transformers and PyTorch: what most such services are. Eager fp32 is the baseline of docs/benchmarks.md."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
import common  # noqa: E402

VARIANTS = {
    "fp32": {"form": "eager", "dtype": "float32", "threads": 2},
    "fp32-1": {"form": "eager", "dtype": "float32", "threads": 1},
    "bf16": {"form": "eager", "dtype": "bfloat16", "threads": 2},
    "compile": {"form": "compile", "dtype": "float32", "threads": 2, "dynamic": True},
    "compile-bf16": {"form": "compile", "dtype": "bfloat16", "threads": 2, "dynamic": True},
    "torchscript": {"form": "torchscript", "dtype": "float32", "threads": 2, "frozen": True},
}


def load_network(model, settings):
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(settings["threads"])
    dtype = getattr(torch, settings["dtype"])
    network = AutoModelForSequenceClassification.from_pretrained(model, dtype=dtype).eval()
    assert next(network.parameters()).dtype == dtype
    return network


def open_streams(model, settings):
    import torch

    network = load_network(model, settings)

    def run(batches, keep):
        with torch.inference_mode():
            for first, ids, mask in batches:
                made = network(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
                keep(first, made.logits.float().numpy())

    yield {"threads": settings["threads"]}, run


def load(model, settings, serving):
    import torch

    network = load_network(model, settings)
    forward = lambda ids: network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits  # noqa: E731
    if settings["form"] == "compile":
        compiled = torch.compile(network, dynamic=settings["dynamic"])
        forward = lambda ids: compiled(input_ids=ids, attention_mask=torch.ones_like(ids)).logits  # noqa: E731
    elif settings["form"] == "torchscript":
        class Logits(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.network = network

            def forward(self, ids):
                return self.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

        with torch.no_grad():
            traced = torch.jit.trace(Logits().eval(), torch.ones(1, 16, dtype=torch.int64), check_trace=False)
        forward = torch.jit.freeze(traced)

    def logits(ids):
        with torch.inference_mode():
            return forward(torch.from_numpy(ids)).float().numpy()

    return logits


def prepare(model, settings, plan):
    """torch.compile keeps what it compiled in $TORCHINDUCTOR_CACHE_DIR: its minutes of compiling are over before a side's
    time begins."""
    if settings["form"] == "compile":
        logits = load(model, settings, serving=False)
        for batch, tokens, _ in plan["shapes"]:
            logits(common.random_ids(batch, tokens, 1000))


if __name__ == "__main__":
    common.main(VARIANTS, load, ["torch", "transformers"], prepare, open_streams)
