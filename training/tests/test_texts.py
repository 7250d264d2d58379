import lzma

import pytest

from finetune import NEGATIVE, NEUTRAL, POSITIVE, Error, texts


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(lzma.compress(text) if path.suffix == ".xz" else text)
    return path


@pytest.mark.parametrize("name", ["train.tsv", "train.tsv.xz"])
def test_reads_plain_and_compressed(tmp_path, name):
    write(tmp_path / "a" / name, "very_negative\tso bad", "neutral\tit\u2028is", "positive\tgood\tand more")
    rows = texts.read(texts.locate(tmp_path, "a/train.tsv"), two_way=False)
    assert rows == [(NEGATIVE, "so bad"), (NEUTRAL, "it\u2028is"), (POSITIVE, "good\tand more")]


def test_names_the_file_that_is_missing(tmp_path):
    with pytest.raises(Error, match=r"a/train\.tsv: expected this file or the same with \.xz"):
        texts.locate(tmp_path, "a/train.tsv")


@pytest.mark.parametrize("line, two_way", [("good", False), ("fine\tgood", False), ("neutral\tso so", True)])
def test_names_file_and_line_of_a_wrong_label(tmp_path, line, two_way):
    path = write(tmp_path / "a" / "train.tsv", "positive\tgood", line)
    with pytest.raises(Error, match=r"train\.tsv:2: expected one of very_negative, negative, .*found '"):
        texts.read(path, two_way)


def test_refuses_an_empty_file(tmp_path):
    with pytest.raises(Error, match="expected labelled texts, found none"):
        texts.read(write(tmp_path / "a" / "train.tsv"), False)


def test_drops_what_any_held_out_file_has_whatever_its_case_and_punctuation(tmp_path):
    write(tmp_path / "a" / "dev.tsv", "positive\tIt's Good !")
    write(tmp_path / "b" / "test-in-other.tsv.xz", "negative\tbad")
    write(tmp_path / "b" / "train.tsv", "negative\tkept out of this")
    rows = [(POSITIVE, "its good"), (NEGATIVE, "Bad."), (NEGATIVE, "kept out of this"), (POSITIVE, "!!"), (NEGATIVE, ":(")]
    kept, lost = texts.drop_held_out(rows, texts.held_out_fingerprints(tmp_path))
    assert (kept, lost) == (rows[2:], 2)


def test_texts_without_letters_are_told_apart():
    assert texts.fingerprint(":)") != texts.fingerprint(":(")


def test_refuses_a_folder_that_holds_nothing_out(tmp_path):
    with pytest.raises(Error, match=r"expected folders with dev\.tsv and test\.tsv"):
        texts.held_out_fingerprints(tmp_path)
