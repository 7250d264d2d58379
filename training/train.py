#!/usr/bin/env python3
"""Fine-tunes the default model. Stopped at any time, the same command goes on from the last state.

    train.py --recipe recipes/onward.toml --start DIRECTORY --data DIRECTORY --output DIRECTORY

Writes below the output: state.pt and log.jsonl as it goes; facts.json and the model directories `last` and `average` at the
end, and also when SIGTERM, SIGINT or --until stops it early: the average of a part of a run is a model too.
Exit 0: as far as was asked. 1: an error, or stopped by a signal.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import numpy
import torch

from finetune import Error, checkpoint, encoded, loop, plan, texts
from finetune import recipe as recipes


def read_sets(data, recipe):
    """([(class, text)] of all sets, how many rows each gives, how many it lost to the held-out texts)."""
    held_out = texts.held_out_fingerprints(data)
    rows, counts, dropped = [], [], []
    for entry in recipe.sets:
        kept, lost = texts.drop_held_out(texts.read(texts.locate(data, f"{entry.name}/train.tsv"), entry.two_way), held_out)
        rows += kept
        counts.append(len(kept))
        dropped.append(lost)
    return rows, counts, dropped


def key_of(recipe, start, rows):
    """What the outcome depends on, in one hash: recipe, weights to start from, texts."""
    digest = hashlib.sha256(f"{recipe.sha256} {checkpoint.sha256_of(start)}".encode())
    for label, text in rows:
        digest.update(f"{label}\t{text}\n".encode())
    return digest.hexdigest()


def train(arguments):
    """Runs, and writes the models. True if the run got as far as was asked."""
    recipe = recipes.load(arguments.recipe)
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows, counts, dropped = read_sets(arguments.data, recipe)
    longest = max(max(entry.windows) for entry in recipe.sets)
    ids = encoded.encode(arguments.start / "tokenizer.json", [text for _, text in rows], longest)
    steps = plan.plan_run(numpy.split(ids.lengths(), numpy.cumsum(counts)[:-1]), recipe)
    torch.manual_seed(recipe.seed)
    run = loop.Run(
        checkpoint.load(arguments.start, recipe.start), ids, numpy.array([label for label, _ in rows]),
        numpy.repeat([entry.two_way for entry in recipe.sets], counts), steps, recipe, key_of(recipe, arguments.start, rows),
        arguments.output / "state.pt", arguments.output / "log.jsonl", arguments.save_seconds, arguments.device)
    print(f"step {run.step} of {len(steps)}, {sum(int(t.sum()) for _, t in steps)} tokens in all", flush=True)
    reached = run.train(arguments.until)
    sets = {entry.name: {"rows": count, "dropped_as_held_out": lost}
            for entry, count, lost in zip(recipe.sets, counts, dropped, strict=True)}
    facts = {
        "recipe": arguments.recipe.name, "recipe_sha256": recipe.sha256, "start_sha256": checkpoint.sha256_of(arguments.start),
        "steps": run.step, "steps_planned": len(steps), "tokens": sum(int(t.sum()) for _, t in steps[:run.step]),
        "examples_seen": sum(len(n) for n, _ in steps[:run.step]), "sets": sets}
    (arguments.output / "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    checkpoint.save(arguments.output / "last", run.model.state_dict(), arguments.start)
    checkpoint.save(arguments.output / "average", run.average(), arguments.start)
    print("done" if run.step == len(steps) else f"stopped at step {run.step}; the same command goes on from there", flush=True)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=pathlib.Path, required=True)
    parser.add_argument("--start", type=pathlib.Path, required=True, help="the encoder or classifier to start from")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder with the labelled sets")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--save-seconds", type=float, default=180, help="between two states (180)")
    parser.add_argument("--until", type=int, help="stop after this step")
    parser.add_argument("--threads", type=int, help="of PyTorch; another number gives other rounding")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        reached = train(arguments)
    except Error as error:
        sys.exit(f"error: {error}")
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
