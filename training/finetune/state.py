"""The state of a run in one file: replaced as a whole, so that whatever stops the run leaves the last one intact."""

import os

import torch


def save(path, state):
    """Writes `state` beside `path`, syncs it, and renames it over `path`."""
    made = path.with_name(path.name + ".new")
    with open(made, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(made, path)


def load(path):
    """The state at `path`, or None if there is none."""
    return torch.load(path, weights_only=True) if path.exists() else None
