#!/usr/bin/env python3
"""The two models that all peers run, as checkpoint and as ONNX: make_models.py DEFAULT_MODEL OUTPUT

OUTPUT/minilm is the default model; OUTPUT/distilbert has DistilBERT's shape and random weights of a fixed seed, for timing
only. model.onnx is what PyTorch's own exporter makes of each.
"""
import os
import pathlib
import shutil
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch  # noqa: E402
import transformers  # noqa: E402


class Logits(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, input_ids, attention_mask):
        return self.network(input_ids=input_ids, attention_mask=attention_mask).logits


def main():
    default, output = map(pathlib.Path, sys.argv[1:])
    for name in ("minilm", "distilbert"):
        folder = output / name
        if (folder / "done").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(default / file, folder / file)
        if name == "distilbert":
            torch.manual_seed(1)
            config = transformers.DistilBertConfig(
                vocab_size=30522, num_labels=3, id2label={0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"},
                label2id={"NEGATIVE": 0, "NEUTRAL": 1, "POSITIVE": 2})
            transformers.DistilBertForSequenceClassification(config).save_pretrained(folder)
        # Without SDPA: the graph that the optimisers of the peers know.
        network = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager").eval()
        ids = torch.ones(2, 16, dtype=torch.int64)
        axes = {0: "batch", 1: "sequence"}
        torch.onnx.export(
            Logits(network), (ids, torch.ones_like(ids)), str(folder / "model.onnx"), dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}})
        (folder / "done").touch()


if __name__ == "__main__":
    main()
