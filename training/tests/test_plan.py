import collections
import dataclasses

import numpy
import pytest

from finetune import plan
from finetune.recipe import Recipe, TrainSet

RECIPE = Recipe(
    start="encoder", seed=3, epochs=1.0, batch_tokens=512, learning_rate=1e-3, warmup_steps=1, weight_decay=0.0,
    gradient_norm=1.0, average_decay=0.9, sets=(TrainSet("a", False, 1.0, (64,)), TrainSet("b", True, 2.5, (16, 32))), sha256="")
LENGTHS = [numpy.random.default_rng(0).integers(3, 200, size=n) for n in (300, 100)]


def seen(batches):
    return collections.Counter(int(n) for numbers, _ in batches for n in numbers)


def test_each_set_is_seen_as_often_as_the_recipe_says():
    counts = seen(plan.plan_run(LENGTHS, RECIPE))
    assert [counts[i] for i in range(300)] == [1] * 300
    assert sorted(counts[i] for i in range(300, 400)) == [2] * 50 + [3] * 50


def test_batches_stay_within_their_tokens_and_waste_little():
    batches = plan.plan_run(LENGTHS, RECIPE)
    room = [len(numbers) * plan.padded(int(tokens.max())) for numbers, tokens in batches]
    assert max(room) <= RECIPE.batch_tokens
    assert sum(int(tokens.sum()) for _, tokens in batches) > 0.8 * sum(room)


def test_examples_are_cut_to_a_window_of_their_set():
    every = numpy.concatenate(LENGTHS)
    cut = set()
    for numbers, tokens in plan.plan_run(LENGTHS, RECIPE):
        for number, count in zip(numbers, tokens, strict=True):
            allowed = (64,) if number < 300 else (16, 32)
            assert count in [min(every[number], w) for w in allowed]
            if number >= 300 and every[number] >= 32:
                cut.add(int(count))
    assert cut == {16, 32}


def test_one_text_longer_than_a_batch_goes_alone():
    recipe = dataclasses.replace(RECIPE, batch_tokens=256, sets=(TrainSet("a", False, 1.0, (512,)),))
    batches = plan.plan_run([numpy.array([400, 10])], recipe)
    assert sorted(len(numbers) for numbers, _ in batches) == [1, 1]


def test_the_plan_depends_on_the_seed_alone():
    def flat(batches):
        return [(n.tolist(), t.tolist()) for n, t in batches]

    once = flat(plan.plan_run(LENGTHS, RECIPE))
    assert once == flat(plan.plan_run(LENGTHS, RECIPE))
    assert once != flat(plan.plan_run(LENGTHS, dataclasses.replace(RECIPE, seed=4)))


@pytest.mark.parametrize("epochs", [0.5, 1.5])
def test_a_part_of_an_epoch_is_a_part_of_its_batches(epochs):
    whole = plan.plan_run(LENGTHS, dataclasses.replace(RECIPE, epochs=2.0))
    part = plan.plan_run(LENGTHS, dataclasses.replace(RECIPE, epochs=epochs))
    assert len(part) == pytest.approx(len(whole) * epochs / 2, abs=2)
    for (numbers, _), (expected, _) in zip(part, whole, strict=False):
        assert numbers.tolist() == expected.tolist()
