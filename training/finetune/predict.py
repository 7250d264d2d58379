"""Logits of a model over a labelled file: the first 256 tokens of each text, kept part by part."""

import os

import numpy
import torch

from . import checkpoint, encoded, precision
from . import plan as planning

WINDOW = 256
_PART = 4096
_BATCH_TOKENS = 8192


class Predictor:
    """A model directory with the logits it has given so far, kept in a folder below `cache` named by weights and numbers."""

    def __init__(self, directory, cache, device="cpu"):
        self._directory = directory
        self._device = device
        self._model = None
        self._cache = cache / f"{checkpoint.sha256_of(directory)[:16]}-{precision.name(device)}"
        self._cache.mkdir(parents=True, exist_ok=True)

    def logits(self, name, texts):
        """float32 [N, 3] for the texts of the file `name`. A part that was computed before is read, not computed again."""
        return numpy.concatenate([
            self._part(self._cache / f"{name.replace('/', '.')}.{begin // _PART}.npy", texts[begin:begin + _PART])
            for begin in range(0, len(texts), _PART)])

    def _part(self, path, texts):
        if path.exists():
            return numpy.load(path)
        made = self._run(texts)
        beside = path.with_suffix(".new")
        with open(beside, "wb") as file:
            numpy.save(file, made)
        os.replace(beside, path)
        return made

    def _run(self, texts):
        if self._model is None:
            self._model = checkpoint.load(self._directory, "classifier").to(self._device).eval()
        ids = encoded.encode(self._directory / "tokenizer.json", texts, WINDOW)
        lengths = ids.lengths()
        order = numpy.argsort(lengths, kind="stable")[::-1]
        made = numpy.empty((len(texts), 3), dtype=numpy.float32)
        at = 0
        while at < len(order):
            width = planning.padded(int(lengths[order[at]]))
            part = order[at:at + max(1, _BATCH_TOKENS // width)]
            at += len(part)
            inputs, mask = (torch.from_numpy(a).to(self._device) for a in ids.batch(part, lengths[part], width))
            with torch.inference_mode(), precision.autocast(self._device):
                made[part] = self._model(input_ids=inputs, attention_mask=mask).logits.float().cpu().numpy()
        return made
