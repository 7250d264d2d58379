import dataclasses
import json
import signal

import numpy
import pytest
import torch
import transformers

from finetune import Error, loop, plan, state
from finetune.encoded import Encoded
from finetune.recipe import Recipe, TrainSet

RECIPE = Recipe(
    start="encoder", seed=5, epochs=2.0, batch_tokens=256, learning_rate=5e-3, warmup_steps=4, weight_decay=0.01,
    gradient_norm=1.0, average_decay=0.9, sets=(TrainSet("a", False, 1.0, (16,)),), sha256="")


# So small a model gains nothing from a second thread, and waits for it on a busy machine.
torch.set_num_threads(1)


def tiny_model():
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, initializer_range=0.2, num_labels=3))


def make_run(folder, key="k", recipe=RECIPE, save_seconds=1e9):
    """A task with one answer: ids 10, 11, 12 stand for the three classes. Every other example is of a two-way set."""
    random = numpy.random.default_rng(1)
    two_way = numpy.arange(300) % 2 == 1
    classes = numpy.where(two_way, random.choice([0, 2], 300), random.integers(0, 3, 300))
    lengths = random.integers(4, 17, 300)
    rows = [[1, 10 + c, *random.integers(20, 40, n - 3), 2] for c, n in zip(classes, lengths, strict=True)]
    ids = Encoded(numpy.concatenate(rows).astype(numpy.int32), numpy.concatenate([[0], numpy.cumsum(lengths)]))
    return loop.Run(
        tiny_model(), ids, classes, two_way, plan.plan_run([lengths], recipe), recipe, key, folder / "state.pt",
        folder / "log.jsonl", save_seconds)


def weights(run):
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def averages(run):
    return torch.cat([run.average()[name].flatten() for name, _ in run.model.named_parameters()])


def test_the_neutral_logit_of_a_two_way_example_gets_no_gradient():
    logits = torch.zeros(2, 3, requires_grad=True)
    loss = loop.loss_of(logits, torch.tensor([2, 2]), torch.tensor([True, False]))
    loss.backward()
    assert loss.item() == pytest.approx((numpy.log(2) + numpy.log(3)) / 2)
    assert logits.grad[0].tolist() == pytest.approx([0.25, 0.0, -0.25])
    assert logits.grad[1].tolist() == pytest.approx([1 / 6, 1 / 6, -1 / 3])


def test_the_rate_rises_then_falls_to_nothing():
    rates = [loop.rate_at(step, 20, RECIPE) for step in range(21)]
    assert rates[:4] == pytest.approx([RECIPE.learning_rate * f for f in (0.25, 0.5, 0.75, 1.0)])
    assert rates[4] == RECIPE.learning_rate and rates[20] == 0
    assert all(a > b for a, b in zip(rates[4:], rates[5:], strict=False))


def test_learns(tmp_path):
    run = make_run(tmp_path, recipe=dataclasses.replace(RECIPE, epochs=8.0))
    assert run.train()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.3 * losses[0]


def test_a_run_cut_in_two_gives_the_same_bits(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = make_run(tmp_path / "whole")
    whole.train()
    make_run(tmp_path / "cut").train(until=9)
    # What happens between the two halves must not matter.
    torch.manual_seed(99)
    cut = make_run(tmp_path / "cut")
    assert cut.step == 9
    cut.train()
    assert torch.equal(weights(cut), weights(whole))
    assert torch.equal(averages(cut), averages(whole))
    assert not torch.equal(averages(cut), weights(cut))


def test_sigterm_saves_the_step_it_finished(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    one_step = run._one_step

    def interrupted(rate):
        if run.step == 3:
            signal.raise_signal(signal.SIGTERM)
        return one_step(rate)

    monkeypatch.setattr(run, "_one_step", interrupted)
    assert not run.train()
    assert run.step == 4 and make_run(tmp_path).step == 4
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_saves_as_it_goes(tmp_path, monkeypatch):
    saved = []
    run = make_run(tmp_path, save_seconds=0)
    monkeypatch.setattr(state, "save", lambda path, what: saved.append(what["step"]))
    run.train(until=3)
    assert saved == [1, 2, 3, 3]


def test_refuses_the_state_of_another_run(tmp_path):
    make_run(tmp_path).train(until=1)
    with pytest.raises(Error, match=r"state\.pt: expected the state of this run, found another's"):
        make_run(tmp_path, key="other")


def test_stops_at_a_loss_that_is_no_number(tmp_path):
    run = make_run(tmp_path, recipe=dataclasses.replace(RECIPE, learning_rate=0.5))
    with torch.no_grad():
        run.model.classifier.weight.fill_(torch.nan)
    with pytest.raises(Error, match="step 0: expected a finite loss, found nan"):
        run.train()


def test_a_write_that_fails_leaves_the_last_state(tmp_path):
    path = tmp_path / "state.pt"
    state.save(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        state.save(path, {"step": lambda: 2})
    assert state.load(path) == {"step": 1}
    assert state.load(tmp_path / "none.pt") is None
