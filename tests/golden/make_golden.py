#!/usr/bin/env python3
"""Writes the logits that PyTorch gives in float32, one line of JSON a text, for the tests to compare with.

    make_golden.py CHECKPOINT_DIR TEXTS.tsv[.xz] OUT.jsonl [--count N] [--window N]

The first line keys the file: the SHA-256 of the weights, the versions of torch, transformers and tokenizers, the source and
the window. Texts are taken at even steps over the file (`label<TAB>text`), each run alone, so no padding takes part.
"""

import argparse
import hashlib
import json
import lzma
import pathlib

import tokenizers
import torch
import transformers


def read_texts(path: pathlib.Path, count: int | None) -> list[str]:
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in file]
    texts = [text for text in texts if text.strip()]
    if count is None:
        return texts
    return [texts[i * len(texts) // count] for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("texts", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--window", type=int, default=256)
    args = parser.parse_args()

    # The checkpoint is float16, and that is what from_pretrained would compute in unless told otherwise.
    model = transformers.AutoModelForSequenceClassification.from_pretrained(args.checkpoint, dtype=torch.float32).eval()
    assert all(p.dtype == torch.float32 for p in model.parameters()), "the reference must be float32"
    tokenizer = tokenizers.Tokenizer.from_file(str(args.checkpoint / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(args.window)

    header = {
        "model_sha256": hashlib.sha256((args.checkpoint / "model.safetensors").read_bytes()).hexdigest(),
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "source": f"{args.texts.parent.name}/{args.texts.name}",
        "window": args.window,
        "labels": [model.config.id2label[i] for i in range(model.config.num_labels)],
    }
    with open(args.out, "w", encoding="utf-8") as out, torch.inference_mode():
        print(json.dumps(header), file=out)
        for text in read_texts(args.texts, args.count):
            ids = torch.tensor([tokenizer.encode(text).ids])
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
            row = {"text": text, "tokens": ids.shape[1], "logits": [round(x, 7) for x in logits.tolist()]}
            print(json.dumps(row, ensure_ascii=False), file=out)


if __name__ == "__main__":
    main()
