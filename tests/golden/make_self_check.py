#!/usr/bin/env python3
"""Writes the logits that PyTorch gives in float32 for the self-check texts and for two tiny random models.

    make_self_check.py CHECKPOINT_DIR TINY_BERT_DIR TINY_DISTILBERT_DIR OUT.json

The tiny ones come from make_tiny_checkpoint. OUT must exist: its texts are kept, and everything else is computed anew. After a
change of the texts in src/convert/self_check.cc change them there too; self_check_test.cc holds the two against each other.
"""

import hashlib
import json
import pathlib
import sys

import tokenizers
import torch
import transformers


def load(directory: pathlib.Path):
    # The checkpoint is float16, and that is what from_pretrained would compute in unless told otherwise.
    model = transformers.AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    assert all(p.dtype == torch.float32 for p in model.parameters()), "the reference must be float32"
    return model


def logits(model, ids: list[int], type_ids: list[int]) -> list[float]:
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.int64)}
    if type_ids:
        inputs["token_type_ids"] = torch.tensor([type_ids])
    with torch.inference_mode():
        return [round(x, 7) for x in model(**inputs).logits[0].tolist()]


def main() -> None:
    checkpoint, tiny_bert, tiny_distilbert, out = map(pathlib.Path, sys.argv[1:])
    texts = [case["text"] for case in json.loads(out.read_text("utf-8"))["texts"]]
    model = load(checkpoint)
    tokenizer = tokenizers.Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    golden = {
        "model_sha256": hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest(),
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "texts": [],
    }
    for text in texts:
        ids = tokenizer.encode(text).ids
        golden["texts"].append({"text": text, "ids": ids, "logits": logits(model, ids, [])})
    pair = tokenizer.encode("Was it good?", "It was awful.")
    golden["pair"] = {"ids": pair.ids, "type_ids": pair.type_ids, "logits": logits(model, pair.ids, pair.type_ids)}
    tiny_ids = [2, 40, 7, 19, 55, 41, 3]
    golden["tiny"] = {
        "ids": tiny_ids,
        "bert": logits(load(tiny_bert), tiny_ids, []),
        "distilbert": logits(load(tiny_distilbert), tiny_ids, []),
    }
    # One line for each member and for each text.
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in golden.items()]
    document = "{\n" + ",\n".join(lines) + "\n}\n"
    out.write_text(document.replace(' {"text"', '\n  {"text"').replace('[{"text"', '[\n  {"text"'), encoding="utf-8")


if __name__ == "__main__":
    main()
