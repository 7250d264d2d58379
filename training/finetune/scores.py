"""What is measured on labelled texts, and whether one model is worse than another. NumPy only."""

import math

import numpy

from . import NEUTRAL


def predict(logits, two_way):
    """int64 [N] from logits [N, 3]: the class of the highest logit, of a two-way set the higher of NEGATIVE and POSITIVE."""
    if two_way:
        logits = logits.copy()
        logits[:, NEUTRAL] = -numpy.inf
    return logits.argmax(axis=1)


def accuracy(predicted, classes):
    return float((predicted == classes).mean())


def macro_recall(predicted, classes):
    """The mean over the classes that occur of the share of their examples found."""
    return float(numpy.mean([(predicted[classes == c] == c).mean() for c in numpy.unique(classes)]))


def mcnemar_worse(right, baseline_right):
    """(lost, won, p): examples that only the baseline has right, that only we have, and the one-sided p of `lost` or more.

    Exact: under the hypothesis that neither is worse each such example is lost or won with equal odds.
    """
    lost = int((baseline_right & ~right).sum())
    won = int((right & ~baseline_right).sum())
    odds = lost + won
    return lost, won, sum(math.comb(odds, k) for k in range(lost, odds + 1)) / (1 << odds)


def holm(p_values, level=0.05):
    """Which of these hypotheses Holm's step-down method rejects at `level`, in the order given."""
    rejected = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


def probabilities(logits, temperature=1.0):
    scaled = logits.astype(numpy.float64) / temperature
    raised = numpy.exp(scaled - scaled.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def calibration_error(given, classes, bins=15):
    """Expected calibration error of probabilities [N, C]: over equal bins of the top probability, |its mean - accuracy|."""
    top = given.max(axis=1)
    right = given.argmax(axis=1) == classes
    place = numpy.minimum((top * bins).astype(int), bins - 1)
    return sum(abs(float((top - right)[place == b].sum())) for b in range(bins)) / len(classes)


def fit_temperature(logits, classes):
    """The temperature from 0.25 to 4 with the least cross-entropy, which has one minimum in 1/T: by golden section."""

    def cross_entropy(inverse):
        given = probabilities(logits, 1 / inverse)
        return -float(numpy.log(given[numpy.arange(len(classes)), classes]).mean())

    low, high, ratio = 0.25, 4.0, (math.sqrt(5) - 1) / 2
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if cross_entropy(left) < cross_entropy(right) else (left, high)
    return round(2 / (low + high), 3)
