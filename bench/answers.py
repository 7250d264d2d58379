"""What a side must keep to before any of its times count."""
import math

# Largest departure from the fp32 answers of PyTorch: label agreement on real texts, and the RMS of the centred logits
# relative to theirs on the model of random weights.
BARS = {"fp32": (0.999, 1e-4), "bf16": (0.97, 0.05), "int8": (0.97, 0.05)}
# Up to here a peer is timed on the random weights all the same, and marked: static quantisation suits them badly, and to
# leave out the fastest peer would flatter us.
MARKED_RMS = 0.25


def centred(row):
    mean = sum(row) / len(row)
    return [value - mean for value in row]


def check(kind, model, answers, reference):
    """(agreement or RMS, what is wrong or None). Logits count but for a constant, which probabilities do not have."""
    agreement_bar, rms_bar = BARS[kind]
    if any(not math.isfinite(value) for row in answers for value in row):
        return None, "answers that are not finite"
    if model == "minilm":
        same = sum(a.index(max(a)) == b.index(max(b)) for a, b in zip(answers, reference, strict=True)) / len(reference)
        return same, None if same >= agreement_bar else f"label agreement {same:.2%}, below {agreement_bar:.1%}"
    off = sum((x - y) ** 2 for a, b in zip(answers, reference, strict=True) for x, y in zip(centred(a), centred(b), strict=True))
    rms = (off / sum(y * y for b in reference for y in centred(b))) ** 0.5
    return rms, None if rms <= rms_bar else f"logits off by {rms:.1e} RMS, above {rms_bar:g}"


def logits_of(measured):
    """As a side gave them; from probabilities their logarithms, which differ by a constant a row."""
    if "logits" in measured:
        return measured["logits"]
    return [[math.log(max(p, 1e-12)) * measured["temperature"] for p in row] for row in measured["probabilities"]]
