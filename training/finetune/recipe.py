"""The recipe of a run: a TOML file, checked. Standard library only."""

import dataclasses
import hashlib
import tomllib

from . import Error


@dataclasses.dataclass(frozen=True)
class TrainSet:
    name: str  # the file is NAME/train.tsv
    two_way: bool  # no neutral examples: the neutral logit stays out of their loss
    times: float  # passes over the set in one epoch; what a fraction leaves out differs from epoch to epoch
    windows: tuple  # an example is cut to one of these many tokens, drawn anew each epoch


@dataclasses.dataclass(frozen=True)
class Recipe:
    start: str  # "encoder": a new head on a bare encoder. "classifier": goes on from a fine-tuned one
    seed: int
    epochs: float
    batch_tokens: int  # pads included
    learning_rate: float  # reached after the warm-up, then falls linearly to zero
    warmup_steps: int
    weight_decay: float  # not of biases and layer norms
    gradient_norm: float
    average_decay: float  # of the running average of the weights, per step
    sets: tuple
    sha256: str  # of the file


# Field: its type and whether a value will do.
_FIELDS = {
    "start": (str, lambda v: v in ("encoder", "classifier")),
    "seed": (int, lambda v: v >= 0),
    "epochs": (float, lambda v: 0 < v <= 100),
    "batch_tokens": (int, lambda v: 256 <= v <= 1 << 20),
    "learning_rate": (float, lambda v: 0 < v < 1),
    "warmup_steps": (int, lambda v: v >= 0),
    "weight_decay": (float, lambda v: 0 <= v < 1),
    "gradient_norm": (float, lambda v: v > 0),
    "average_decay": (float, lambda v: 0 <= v < 1),
}
_SET_FIELDS = {
    "name": (str, lambda v: bool(v)),
    "two_way": (bool, lambda v: True),
    "times": (float, lambda v: 0 < v <= 100),
    "windows": (list, lambda v: v and all(type(w) is int and 8 <= w <= 512 for w in v)),
}


def load(path):
    """The recipe in the file `path`. Raises Error naming a field that is unknown, missing, or not as expected."""
    text = path.read_bytes()
    try:
        table = tomllib.loads(text.decode())
    except ValueError as error:
        raise Error(f"{path}: {error}") from error
    sets = table.pop("set", [])
    if not isinstance(sets, list) or not sets:
        raise Error(f"{path}: set: expected at least one [[set]], found none")
    values = _check(f"{path}: ", table, _FIELDS)
    made = tuple(TrainSet(**_check(f"{path}: set[{i}].", entry, _SET_FIELDS)) for i, entry in enumerate(sets))
    names = [entry.name for entry in made]
    if len(set(names)) != len(names):
        raise Error(f"{path}: set: expected each name once, found {names}")
    return Recipe(sets=made, sha256=hashlib.sha256(text).hexdigest(), **values)


def _check(where, table, fields):
    if unknown := sorted(set(table) - set(fields)):
        raise Error(f"{where}{unknown[0]}: expected one of {', '.join(fields)}")
    values = {}
    for name, (kind, good) in fields.items():
        value = table.get(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not good(value):
            raise Error(f"{where}{name}: expected a {kind.__name__} in range, found {value!r}")
        values[name] = tuple(value) if kind is list else value
    return values
