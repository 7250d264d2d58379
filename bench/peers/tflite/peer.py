#!/usr/bin/env python3
"""LiteRT (TensorFlow Lite) with its XNNPACK delegate; converted from PyTorch by litert-torch, a file for each shape."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
import common  # noqa: E402

INT8 = "ai-edge-quantizer, dynamic range, weights int8 per channel"
VARIANTS = {
    "fp32": {"precision": "fp32", "shapes": "static, a file each", "threads": 2},
    "int8": {"precision": INT8, "shapes": "static, a file each", "threads": 2},
    "int8-1": {"precision": INT8, "shapes": "static, a file each", "threads": 1},
}


def convert(model, batch, tokens, target):
    os.environ["HF_HUB_OFFLINE"] = "1"
    import litert_torch
    import torch
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32, attn_implementation="eager").eval()

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, ids, mask):
            return self.network(input_ids=ids, attention_mask=mask).logits

    ids = torch.ones(batch, tokens, dtype=torch.int64)
    litert_torch.convert(Logits().eval(), (ids, torch.ones_like(ids))).export(str(target))


def quantise(source, target):
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(source), recipe.dynamic_wi8_afp32()).quantize()
    made.export_model(str(target), overwrite=True)


def file_of(model, settings, batch, tokens):
    return model / f"litert-{'int8-' if settings['precision'] == INT8 else ''}{batch}x{tokens}.tflite"


def prepare(model, settings, plan):
    for batch, tokens in common.shapes_of(model, plan):
        target, plain = file_of(model, settings, batch, tokens), file_of(model, VARIANTS["fp32"], batch, tokens)
        if target.exists():
            continue
        if not plain.exists():
            convert(model, batch, tokens, plain)
        if target != plain:
            quantise(plain, target)


def load(model, settings, serving):
    import numpy
    from ai_edge_litert.interpreter import Interpreter

    runners = {}

    def runner(batch, tokens):
        if (batch, tokens) not in runners:
            file = file_of(model, settings, batch, tokens)
            runners[batch, tokens] = Interpreter(str(file), num_threads=settings["threads"]).get_signature_runner()
        return runners[batch, tokens]

    def logits(ids):
        batch, tokens = ids.shape
        padded = common.padded(tokens)
        rows, mask = numpy.zeros((2, batch, padded), dtype=numpy.int32)  # as the converter made them
        rows[:, :tokens], mask[:, :tokens] = ids, 1
        return next(iter(runner(batch, padded)(args_0=rows, args_1=mask).values()))

    return logits


if __name__ == "__main__":
    common.main(VARIANTS, load, ["ai-edge-litert", "litert-torch"], prepare)
