"""The training loop: batches of a plan, AdamW, a running average of the weights, and a state to go on from."""

import json
import signal
import time

import torch

from . import NEUTRAL, Error, precision
from . import plan as planning
from . import state as states

LOG_STEPS = 20


def loss_of(logits, classes, two_way):
    """Mean cross-entropy. logits float [B, 3], classes int64 [B], two_way bool [B].

    An example of a set without neutral ones says nothing about neutral: its neutral logit is left out, and gets no
    gradient.
    """
    masked = logits.clone()
    masked[two_way, NEUTRAL] = -torch.inf
    return torch.nn.functional.cross_entropy(masked, classes)


def rate_at(step, steps, recipe):
    """The learning rate of `step`: rises over the warm-up, then falls linearly to reach zero after the last."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    return recipe.learning_rate * (steps - step) / max(1, steps - recipe.warmup_steps)


def _make_optimizer(model, recipe):
    # Biases and layer norms are the tensors with one axis.
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


class Run:
    """One run over the examples `encoded`, int64 `classes` [N] and bool `two_way` [N], in the batches of `plan`.

    `key` names everything that the outcome depends on: a state of another key is refused. The state at `state_path` is
    read when the run is made; Train writes it every `save_seconds` and when it stops.
    """

    def __init__(self, model, encoded, classes, two_way, plan, recipe, key, state_path, log_path, save_seconds, device="cpu"):
        self.model = model.to(device).train()
        self._encoded = encoded
        self._classes = torch.as_tensor(classes)
        self._two_way = torch.as_tensor(two_way)
        self._plan = plan
        self._recipe = recipe
        self._key = key
        self._state_path = state_path
        self._log_path = log_path
        self._save_seconds = save_seconds
        self._device = device
        self._optimizer = _make_optimizer(self.model, recipe)
        self._average = [p.detach().clone() for p in self.model.parameters()]
        self._stop = False
        self.step = 0
        # Drop-out draws from the global generator, which the state keeps.
        torch.manual_seed(recipe.seed)
        if (found := states.load(state_path)) is not None:
            self._restore(found)

    def average(self):
        """The running average, as the model's own tensors are named."""
        names = [name for name, _ in self.model.named_parameters()]
        return self.model.state_dict() | dict(zip(names, self._average, strict=True))

    def train(self, until=None):
        """Runs to the step `until`, by default the last. True if it got there; False after SIGTERM or SIGINT, state saved."""
        steps = len(self._plan)
        until = steps if until is None else min(until, steps)
        old = {number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            saved = noted = time.monotonic()
            losses, tokens = [], 0
            while self.step < until and not self._stop:
                loss, count = self._one_step(rate_at(self.step, steps, self._recipe))
                losses.append(loss)
                tokens += count
                self.step += 1
                now = time.monotonic()
                if self.step % LOG_STEPS == 0 or self.step == until:
                    rate = round(tokens / max(1e-9, now - noted))
                    loss = round(sum(losses) / len(losses), 4)
                    self._log(step=self.step, steps=steps, loss=loss, tokens_per_second=rate)
                    losses, tokens, noted = [], 0, now
                if now - saved >= self._save_seconds:
                    self._save()
                    saved = time.monotonic()
            self._save()
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
        return self.step >= until

    def _one_step(self, rate):
        numbers, tokens = self._plan[self.step]
        width = planning.padded(int(tokens.max()))
        ids, mask = (torch.from_numpy(a).to(self._device) for a in self._encoded.batch(numbers, tokens, width))
        which = torch.from_numpy(numbers)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with precision.autocast(self._device):
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        loss = loss_of(logits.float(), self._classes[which].to(self._device), self._two_way[which].to(self._device))
        value = loss.item()
        if not value < 1e4:
            raise Error(f"step {self.step}: expected a finite loss, found {value}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.gradient_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        # Early on the average follows quickly: it must not remember the start.
        decay = min(self._recipe.average_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, list(self.model.parameters()), 1 - decay)
        return value, int(tokens.sum())

    def _save(self):
        states.save(self._state_path, {
            "key": self._key, "step": self.step, "model": self.model.state_dict(), "average": self._average,
            "optimizer": self._optimizer.state_dict(), "random": torch.get_rng_state()})

    def _restore(self, found):
        if found["key"] != self._key:
            raise Error(f"{self._state_path}: expected the state of this run, found another's: its recipe, data or start "
                        "differ; give another --output, or delete it")
        self.step = found["step"]
        self.model.load_state_dict(found["model"])
        self._average = [t.to(self._device) for t in found["average"]]
        self._optimizer.load_state_dict(found["optimizer"])
        torch.set_rng_state(found["random"])

    def _ask_to_stop(self, number, frame):
        self._stop = True

    def _log(self, **entry):
        with open(self._log_path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
