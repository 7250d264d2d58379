#!/usr/bin/env python3
"""Chooses among what a finished run offers, measures the choice, and writes it as a model directory with its card.

    evaluate.py --run DIRECTORY --baseline DIRECTORY --data DIRECTORY

RUN is the output of train.py. Candidates are its last weights, their running average and, where the run started from the
baseline, the weights midway between both; the best mean accuracy on the dev files wins. Only then are test files read.
Writes RUN/chosen (the model directory) and RUN/results.json. Logits are kept in RUN/logits: stopped, it goes on from there.
Exit 0: the choice beats the baseline's dev mean and keeps the test bars. 1: it does not, and says which; behind on the dev
files, no test file is read.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import sys

import tokenizers
import torch
import transformers

from finetune import Error, card, checkpoint, judge, precision, predict

# The mean test accuracy may fall below the baseline's by no more than this.
TEST_MEAN_SLACK = 0.003
CALIBRATION_BAR = 0.03


def choose(directories, files, cache, device):
    """(the name with the best dev mean, {name: dev mean})."""
    means = {}
    for name, directory in directories.items():
        predictor = predict.Predictor(directory, cache, device)
        means[name] = judge.mean_accuracy(judge.score_files(predictor, files, judge.DEV_FILES))
        print(f"{name}: dev mean {means[name]:.4f}", flush=True)
    return max(means, key=means.get), means


def evaluate(arguments):
    run = arguments.run
    facts_path = run / "facts.json"
    if not (run / "average").is_dir():
        raise Error(f"{run / 'average'}: expected a model that train.py wrote, found none")
    facts = json.loads(facts_path.read_text(encoding="utf-8"))
    files, cache = judge.Files(arguments.data), run / "logits"
    onward = facts["start_sha256"] == checkpoint.sha256_of(arguments.baseline)
    baseline = predict.Predictor(arguments.baseline, cache, arguments.device)
    baseline_dev = judge.score_files(baseline, files, judge.DEV_FILES)
    print(f"baseline: dev mean {judge.mean_accuracy(baseline_dev):.4f}", flush=True)
    directories = judge.make_candidates(run, arguments.baseline, onward)
    chosen, dev_means = choose(directories, files, cache, arguments.device)
    if dev_means[chosen] <= judge.mean_accuracy(baseline_dev):
        raise Error(f"{chosen}: dev mean {dev_means[chosen]:.4f}, expected above the baseline's "
                    f"{judge.mean_accuracy(baseline_dev):.4f}; the test files were not read")
    predictor = predict.Predictor(directories[chosen], cache, arguments.device)
    dev = judge.score_files(predictor, files, judge.DEV_FILES)
    test = judge.score_files(predictor, files, judge.TEST_FILES)
    baseline_test = judge.score_files(baseline, files, judge.TEST_FILES)
    return directories[chosen], {
        "run": facts, "onward": onward, "chosen": chosen, "candidates": dev_means,
        "weights_sha256": checkpoint.sha256_of(directories[chosen]), "baseline_sha256": checkpoint.sha256_of(arguments.baseline),
        "dev_mean": dev_means[chosen], "baseline_dev_mean": judge.mean_accuracy(baseline_dev),
        "test_mean": judge.mean_accuracy(test), "baseline_test_mean": judge.mean_accuracy(baseline_test),
        "scores": dev | test, "baseline_scores": baseline_dev | baseline_test,
        "comparison": judge.compare(predictor, baseline, files, judge.TEST_FILES),
        "calibration": judge.calibrate(predictor, files), "numbers": precision.name(arguments.device),
        "versions": {"python": platform.python_version(), "tokenizers": tokenizers.__version__, "torch": torch.__version__,
                     "transformers": transformers.__version__}}


def shortfalls(results):
    """A sentence for each bar that the choice does not keep."""
    found = []
    least = results["baseline_test_mean"] - TEST_MEAN_SLACK
    if results["test_mean"] < least:
        found.append(f"test mean {results['test_mean']:.4f}: expected at least {least:.4f}")
    found += [f"{name}: significantly worse than the baseline (p {entry['p_worse']:.4f})"
              for name, entry in results["comparison"].items() if entry["significantly_worse"]]
    if (error := results["calibration"]["error_after"]) > CALIBRATION_BAR:
        found.append(f"expected calibration error {error:.3f}: expected at most {CALIBRATION_BAR}")
    return found


def write(run, directory, results):
    """RUN/chosen and RUN/results.json, each put in place as a whole."""
    made = run / "chosen.new"
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(directory, made)
    (made / "README.md").write_text(card.render(results), encoding="utf-8")
    shutil.rmtree(run / "chosen", ignore_errors=True)
    os.replace(made, run / "chosen")
    beside = run / "results.json.new"
    beside.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, run / "results.json")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=pathlib.Path, required=True)
    parser.add_argument("--baseline", type=pathlib.Path, required=True, help="the model to beat")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder with the labelled sets")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        directory, results = evaluate(arguments)
        write(arguments.run, directory, results)
    except Error as error:
        sys.exit(f"error: {error}")
    print(f"{results['chosen']}: test mean {results['test_mean']:.4f}, the baseline's {results['baseline_test_mean']:.4f}; "
          f"temperature {results['calibration']['temperature']}")
    if found := shortfalls(results):
        sys.exit("\n".join(found))
    print(f"keeps every bar: {arguments.run / 'chosen'}")


if __name__ == "__main__":
    main()
