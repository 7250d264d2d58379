"""Choosing a candidate on the dev files, and its scores on the test files beside a baseline's."""

import numpy

from . import checkpoint, scores, texts

# File and whether it has no neutral examples. Choices are made on these alone.
DEV_FILES = {
    "sst2/dev": True, "sst5/dev": False, "cr/dev": True, "amazon5/dev": True, "amazon4-blitzer/dev": True,
    "semeval2017/dev": False, "goemotions-3class/dev": False, "newsmtsc/dev": False}
TEST_FILES = {
    "sst2/test": True, "sst5/test": False, "semeval2017/test": False, "cr/test": True, "amazon5/test": True,
    "imdb/test": True, "goemotions-3class/test": False, "senti4sd/test": False, "newsmtsc/test": False,
    "tweets-extraction2020/test": False}
TEMPERATURE_FILE = "semeval2017/dev"
CALIBRATION_FILE = "semeval2017/test"


class Files:
    """The labelled files below the folder `data`, each read once."""

    def __init__(self, data):
        self._data = data
        self._read = {}

    def get(self, name, two_way):
        """(classes int64 [N], texts)."""
        if name not in self._read:
            rows = texts.read(texts.locate(self._data, f"{name}.tsv"), two_way)
            self._read[name] = numpy.array([c for c, _ in rows]), [text for _, text in rows]
        return self._read[name]


def predictions(predictor, files, name, two_way):
    """(predicted, classes), int64 [N] each."""
    classes, written = files.get(name, two_way)
    return scores.predict(predictor.logits(name, written), two_way), classes


def score_files(predictor, files, wanted):
    """Per file of `wanted`: {"accuracy", "macro_recall"}."""
    made = {}
    for name, two_way in wanted.items():
        predicted, classes = predictions(predictor, files, name, two_way)
        made[name] = {"accuracy": scores.accuracy(predicted, classes), "macro_recall": scores.macro_recall(predicted, classes)}
    return made


def mean_accuracy(by_file):
    return sum(entry["accuracy"] for entry in by_file.values()) / len(by_file)


def compare(predictor, baseline, files, wanted):
    """Per file of `wanted`: examples lost and won against the baseline, p of being worse, and whether that is significant.

    One-sided exact McNemar tests, corrected over the files by Holm's method at 0.05.
    """
    made = {}
    for name, two_way in wanted.items():
        predicted, classes = predictions(predictor, files, name, two_way)
        before, _ = predictions(baseline, files, name, two_way)
        lost, won, p = scores.mcnemar_worse(predicted == classes, before == classes)
        made[name] = {"lost": lost, "won": won, "p_worse": p}
    for entry, worse in zip(made.values(), scores.holm([e["p_worse"] for e in made.values()]), strict=True):
        entry["significantly_worse"] = worse
    return made


def calibrate(predictor, files):
    """The temperature fitted on TEMPERATURE_FILE, and the expected calibration error on CALIBRATION_FILE before and after."""
    classes, written = files.get(TEMPERATURE_FILE, False)
    temperature = scores.fit_temperature(predictor.logits(TEMPERATURE_FILE, written), classes)
    classes, written = files.get(CALIBRATION_FILE, False)
    logits = predictor.logits(CALIBRATION_FILE, written)
    return {
        "temperature": temperature,
        "error_before": scores.calibration_error(scores.probabilities(logits), classes),
        "error_after": scores.calibration_error(scores.probabilities(logits, temperature), classes)}


def make_candidates(output, baseline, onward):
    """{name: directory} of what a finished run offers. `onward`: it started from the baseline, so their weights mix well."""
    made = {name: output / name for name in ("last", "average")}
    if onward:
        mixed = checkpoint.mix(checkpoint.weights_of(output / "average"), checkpoint.weights_of(baseline), 0.5)
        checkpoint.save(output / "midway", mixed, output / "average")
        made["midway"] = output / "midway"
    return made
