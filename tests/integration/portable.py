"""Running the portable graphs of a package as another program would."""

import pathlib

import numpy

HAS_VNNI = "vnni" in pathlib.Path("/proc/cpuinfo").read_text()


def open_onnxruntime(graph, precise=not HAS_VNNI):
    """The graph in the `onnxruntime` package as a function from inputs by name to logits, and the session. `precise` keeps
    the sums of 8-bit products from saturating on CPUs that lack VNNI."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", str(int(precise)))
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["logits"], inputs)[0], session


def run_padded(run, names, sequences, padding=0):
    """Logits of (ids, first_segment) pairs as one batch, `padding` tokens wider than its longest; `names` are the graph's
    inputs."""
    width = max(len(ids) for ids, _ in sequences) + padding
    inputs = {name: numpy.zeros((len(sequences), width), numpy.int64)
              for name in ("input_ids", "attention_mask", "token_type_ids")}
    for row, (ids, first_segment) in enumerate(sequences):
        inputs["input_ids"][row, :len(ids)] = ids
        inputs["attention_mask"][row, :len(ids)] = 1
        inputs["token_type_ids"][row, first_segment:len(ids)] = 1
    return run({name: inputs[name] for name in names})


def run_all(run, names, sequences, size=16):
    """Logits of each sequence of ids, in order, run in padded batches of similar lengths."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    logits = [None] * len(sequences)
    for start in range(0, len(order), size):
        part = order[start:start + size]
        for i, row in zip(part, run_padded(run, names, [(sequences[i], len(sequences[i])) for i in part])):
            logits[i] = row
    return numpy.array(logits)


def load_tokenizer(package, window):
    """The package's own, cutting at `window` tokens and padding nothing."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    return tokenizer
