import pathlib

import pytest

from finetune import Error, recipe

RECIPES = pathlib.Path(recipe.__file__).resolve().parent.parent / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_the_recipes_kept_here_are_sound(path):
    made = recipe.load(path)
    assert made.start == {"encoder": "encoder", "onward": "classifier"}[path.stem]
    assert {entry.name for entry in made.sets if entry.two_way} == {
        "sst2", "mr", "imdb", "cr", "amazon5", "amazon4-blitzer", "sentiment140"}


@pytest.mark.parametrize("old, new, message", [
    ("seed = 1", "sede = 1", "sede: expected one of start, seed"),
    ("seed = 1", "", "seed: expected a int in range, found None"),
    ("seed = 1", "seed = true", "seed: expected a int in range, found True"),
    ("learning_rate = 3e-5", "learning_rate = 3", "learning_rate: expected a float in range, found 3.0"),
    ('start = "classifier"', 'start = "anew"', "start: expected a str in range, found 'anew'"),
    ("windows = [96, 256]", "windows = [4]", r"set\[3\].windows: expected a list in range, found \[4\]"),
    ('name = "sst5"', 'name = "sst2"', "set: expected each name once"),
    ("[[set]]", "[set", "onward.toml: "),
])
def test_names_the_field_that_is_wrong(tmp_path, old, new, message):
    text = (RECIPES / "onward.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "onward.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(Error, match=message):
        recipe.load(path)


def test_needs_a_set(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("seed = 1\n", encoding="utf-8")
    with pytest.raises(Error, match=r"set: expected at least one \[\[set\]\]"):
        recipe.load(path)
