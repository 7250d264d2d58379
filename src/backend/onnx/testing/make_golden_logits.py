"""Writes golden_logits.h: what PyTorch in float32 answers, for the tests of the ONNX backend.

    python src/backend/onnx/testing/make_golden_logits.py MAKE_TINY_CHECKPOINT > src/backend/onnx/testing/golden_logits.h

MAKE_TINY_CHECKPOINT is the program of that name (target make_tiny_checkpoint); it needs torch and transformers. Sequences
are token ids made by arithmetic: the numbers do not depend on a tokeniser.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

DEFAULT_MODEL = pathlib.Path(__file__).parents[4] / "models" / "default"


def sequences(vocab_size, longest, has_types):
    """(ids, types) of several lengths, each with other ids; the last is a pair where the model has token types."""
    lengths = [1, 2, 7, 17, 33, longest]
    made = []
    for index, length in enumerate(lengths):
        ids = [(index * 7919 + place * place * 31 + place * 1009 + 5) % vocab_size for place in range(length)]
        made.append((ids, [0] * length))
    if has_types:
        ids = made[3][0]
        made.append((ids, [0] * 9 + [1] * (len(ids) - 9)))
    return made


def run(directory, longest):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    has_types = getattr(model.config, "type_vocab_size", 0) > 0
    cases = []
    for ids, types in sequences(model.config.vocab_size, longest, has_types):
        inputs = {"input_ids": torch.tensor([ids])}
        if has_types:
            inputs["token_type_ids"] = torch.tensor([types])
        with torch.no_grad():
            cases.append((ids, types, model(**inputs).logits[0].tolist()))
    return cases


def initialiser(case):
    ids, types, logits = case
    first_type_one = types.index(1) if 1 in types else len(types)
    numbers = ", ".join(str(i) for i in ids)
    return f"    {{{{{numbers}}}, {first_type_one}, {{{', '.join(f'{value!r}' for value in logits)}}}}},\n"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        models = [("Default", run(DEFAULT_MODEL, 256))]
        for name, architecture in [("TinyBert", "bert"), ("TinyDistilBert", "distilbert")]:
            directory = pathlib.Path(scratch) / architecture
            subprocess.run([sys.argv[1], str(directory), architecture], check=True)
            models.append((name, run(directory, 40)))
    torch_version = torch.__version__.split("+")[0]
    print(f"// Logits of torch {torch_version} and transformers {transformers.__version__} in float32; written by make_golden_logits.py.")
    print("#pragma once\n\n#include <cstdint>\n#include <vector>\n\nnamespace ks {\n")
    print("// clang-format off")
    print("struct GoldenCase {")
    print("  std::vector<int32_t> ids;")
    print("  int first_type_one;  // tokens from here on have the token type 1")
    print("  std::vector<double> logits;")
    print("};\n")
    for name, cases in models:
        print(f"inline const std::vector<GoldenCase> k{name}Golden = {{")
        print("".join(initialiser(case) for case in cases) + "};\n")
    print("// clang-format on\n\n}  // namespace ks")


if __name__ == "__main__":
    main()
