"""Model directories as transformers knows them: read in float32, written in float16 under the same tensor names."""

import hashlib
import json
import os
import pathlib
import shutil

import safetensors.torch
import torch
import transformers

from . import LABELS, Error

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def load(directory, start):
    """A BertForSequenceClassification in float32. `start` is "encoder" for one without a head: it gets a new, random one.

    Raises Error if `directory` has no config.json, or a classifier's labels are not LABELS.
    """
    path = pathlib.Path(directory) / "config.json"
    if not path.exists():
        raise Error(f"{path}: expected a model directory, found no such file")
    names = dict(enumerate(LABELS))
    if start == "classifier":
        found = json.loads(path.read_text(encoding="utf-8")).get("id2label")
        if found != {str(i): name for i, name in names.items()}:
            raise Error(f"{path}: id2label: expected {names}, found {found}")
    model = transformers.BertForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, num_labels=len(LABELS), id2label=names, label2id={n: i for i, n in names.items()})
    assert all(p.dtype == torch.float32 for p in model.parameters())
    return model


def save(directory, tensors, source):
    """Writes a whole model directory, or none: `tensors` in float16, config and tokenizer after those of `source`."""
    directory, source = pathlib.Path(directory), pathlib.Path(source)
    made = directory.with_name(directory.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    halves = {name: tensors[name].to(torch.float16).contiguous() for name in sorted(tensors)}
    if bad := [name for name, value in halves.items() if not torch.isfinite(value).all()]:
        raise Error(f"{bad[0]}: expected numbers that float16 can hold, found an infinity or NaN")
    safetensors.torch.save_file(halves, made / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    for name in ("_name_or_path", "transformers_version", "use_cache", "gradient_checkpointing"):
        config.pop(name, None)
    config |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(i): name for i, name in enumerate(LABELS)},
        "label2id": {name: i for i, name in enumerate(LABELS)},
        "problem_type": "single_label_classification",
        "torch_dtype": "float16",
    }
    (made / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name in TOKENIZER_FILES:
        shutil.copyfile(source / name, made / name)
    shutil.rmtree(directory, ignore_errors=True)
    os.replace(made, directory)


def mix(tensors, others, share):
    """The weights `share` of the way from `others` to `tensors`."""
    return {name: torch.lerp(others[name].float(), value.float(), share) for name, value in tensors.items()}


def weights_of(directory):
    return safetensors.torch.load_file(pathlib.Path(directory) / "model.safetensors")


def sha256_of(directory):
    return hashlib.sha256((pathlib.Path(directory) / "model.safetensors").read_bytes()).hexdigest()
