import numpy
import pytest

from finetune import scores


def test_two_way_files_never_answer_neutral():
    logits = numpy.array([[1.0, 5.0, 2.0], [3.0, 5.0, 2.0]])
    assert scores.predict(logits, two_way=False).tolist() == [1, 1]
    assert scores.predict(logits, two_way=True).tolist() == [2, 0]
    assert logits[0, 1] == 5.0


def test_macro_recall_weighs_classes_alike():
    classes = numpy.array([0, 0, 0, 2])
    predicted = numpy.array([0, 0, 0, 0])
    assert scores.accuracy(predicted, classes) == 0.75
    assert scores.macro_recall(predicted, classes) == 0.5


def test_mcnemar_counts_only_examples_that_one_side_has_right():
    right = numpy.array([True] * 10 + [False] * 8 + [True] * 2)
    before = numpy.array([True] * 10 + [True] * 8 + [False] * 2)
    lost, won, p = scores.mcnemar_worse(right, before)
    # P(8 or more of 10 fair coins) = (45 + 10 + 1) / 1024.
    assert (lost, won, p) == (8, 2, 56 / 1024)


def test_mcnemar_of_equal_models_finds_nothing():
    right = numpy.array([True, False])
    assert scores.mcnemar_worse(right, right) == (0, 0, 1.0)


def test_holm_stops_at_the_first_that_fails():
    # Compared with 0.05 / 4, / 3, / 2, / 1 in rising order: 0.03 fails against 0.025, so 0.04 is not looked at.
    assert scores.holm([0.04, 0.001, 0.03, 0.015]) == [False, True, False, True]
    assert scores.holm([]) == []


def test_calibration_error_of_a_known_case():
    given = numpy.array([[0.9, 0.1]] * 10 + [[0.65, 0.35]] * 10)
    classes = numpy.array([0] * 7 + [1] * 3 + [0] * 5 + [1] * 5)
    assert scores.calibration_error(given, classes) == pytest.approx(0.5 * 0.2 + 0.5 * 0.15)


def test_the_temperature_undoes_overconfidence():
    random = numpy.random.default_rng(0)
    logits = random.normal(size=(4000, 3)) * 1.5
    given = scores.probabilities(logits)
    classes = numpy.array([random.choice(3, p=row) for row in given])
    assert scores.fit_temperature(logits * 2, classes) == pytest.approx(2.0, rel=0.07)
    assert scores.calibration_error(scores.probabilities(logits * 2, 2.0), classes) < 0.03
    assert scores.calibration_error(scores.probabilities(logits * 2), classes) > 0.05
