#!/usr/bin/env python3
"""Makes model_logits.json: what transformers and PyTorch in float32 answer to sequences of token ids, for the default model
and for the random ones of make_tiny_checkpoint (a program of that name, with the tests).

    make_model_logits.py MAKE_TINY_CHECKPOINT > tests/golden/model_logits.json

The ids are made by arithmetic: these numbers depend on no tokeniser.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

DEFAULT_MODEL = pathlib.Path(__file__).resolve().parents[2] / "models" / "default"


def sequences(vocabulary, longest, has_types):
    """(ids, tokens of the first segment): several lengths, each with other ids; the last is a pair if the model has types."""
    made = []
    for index, length in enumerate([1, 2, 7, 17, 33, longest]):
        ids = [(index * 7919 + place * place * 31 + place * 1009 + 5) % vocabulary for place in range(length)]
        made.append((ids, length))
    if has_types:
        made.append((made[3][0], 9))
    return made


def answer(directory, longest):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    has_types = getattr(model.config, "type_vocab_size", 0) > 0
    cases = []
    for ids, first_segment in sequences(model.config.vocab_size, longest, has_types):
        inputs = {"input_ids": torch.tensor([ids])}
        if has_types:
            inputs["token_type_ids"] = torch.tensor([[0] * first_segment + [1] * (len(ids) - first_segment)])
        with torch.no_grad():
            logits = model(**inputs).logits[0].tolist()
        cases.append({"ids": ids, "first_segment": first_segment, "logits": logits})
    weights = (pathlib.Path(directory) / "model.safetensors").read_bytes()
    return {"model_sha256": hashlib.sha256(weights).hexdigest(), "cases": cases}


def main():
    golden = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
              "default": answer(DEFAULT_MODEL, 256)}
    with tempfile.TemporaryDirectory() as scratch:
        for architecture in ("bert", "distilbert"):
            directory = pathlib.Path(scratch) / architecture
            subprocess.run([sys.argv[1], str(directory), architecture], check=True)
            golden["tiny_" + architecture] = answer(directory, 40)
    # One case a line: a change of one shows as one.
    text = json.dumps(golden).replace('[{"ids"', '[\n{"ids"').replace(' {"ids"', '\n{"ids"').replace(' "tiny_', '\n"tiny_')
    print(text)


if __name__ == "__main__":
    main()
