from finetune import card

RESULTS = {
    "run": {"recipe": "onward.toml", "recipe_sha256": "ab" * 32, "start_sha256": "cd" * 32, "steps": 1234,
            "steps_planned": 2000, "tokens": 5_000_000, "examples_seen": 99_000, "sets": {"sst2": {"rows": 66933, "dropped_as_held_out": 39}}},
    "onward": True, "chosen": "average", "candidates": {"last": 0.8, "average": 0.81},
    "dev_mean": 0.81, "baseline_dev_mean": 0.8, "test_mean": 0.79, "baseline_test_mean": 0.785,
    "scores": {"sst2/dev": {"accuracy": 0.913, "macro_recall": 0.912}, "sst2/test": {"accuracy": 0.905, "macro_recall": 0.904}},
    "baseline_scores": {
        "sst2/dev": {"accuracy": 0.912, "macro_recall": 0.911}, "sst2/test": {"accuracy": 0.901, "macro_recall": 0.9}},
    "comparison": {"sst2/test": {"lost": 20, "won": 27, "p_worse": 0.88, "significantly_worse": False}},
    "numbers": "bf16", "calibration": {"temperature": 1.13, "error_before": 0.047, "error_after": 0.021},
}


def test_holds_what_was_measured():
    text = card.render(RESULTS)
    for line in [
            "| sst2/dev | 0.913 (0.912) | 0.912 (0.911) |  |  |",
            "| sst2/test | 0.905 (0.901) | 0.904 (0.900) | 20 / 27 | 0.880 |",
            "| sst2 | 66,933 | 39 |", "**average** had the best mean accuracy", "Temperature 1.13", "1,234 of 2,000 steps", "bf16, the first 256 tokens",
            "dev 0.8100 (0.8000)"]:
        assert line in text


def test_says_where_the_weights_came_from():
    assert "went on from the starting model (weights cdcdcdcdcdcdcdcd)" in card.render(RESULTS)
    assert "started from the bare encoder (weights cdcdcdcdcdcdcdcd)" in card.render(RESULTS | {"onward": False})


def test_marks_what_got_worse():
    worse = {"lost": 40, "won": 9, "p_worse": 0.0001, "significantly_worse": True}
    assert "| 40 / 9 | 0.000 * |" in card.render(RESULTS | {"comparison": {"sst2/test": worse}})
