"""Which examples each step sees: a pure function of the recipe's seed and the lengths, so that a run can stop and go on."""

import numpy

# Examples are sorted by length among this many batches' worth of them, then the batches are shuffled: few pads, and
# neighbouring steps still differ in length.
BATCHES_PER_POOL = 64
PAD_TO = 8


def plan_run(lengths_by_set, recipe):
    """The batches of the whole run, in order.

    `lengths_by_set` has one array per set of the recipe: the tokens of each of its examples, [CLS] and [SEP] included.
    Examples are numbered through the sets, in order. A batch is (numbers int64 [B], tokens int32 [B]): each example and to
    how many tokens it is cut. B x longest, padded to PAD_TO, is at most `batch_tokens`, unless B is 1.
    """
    batches = []
    whole = int(recipe.epochs)
    for epoch in range(whole + (recipe.epochs > whole)):
        made = _plan_epoch(lengths_by_set, recipe, numpy.random.default_rng([recipe.seed, epoch]))
        if epoch == whole:
            made = made[:max(1, round(len(made) * (recipe.epochs - whole)))]
        batches += made
    return batches


def padded(longest):
    return -(-longest // PAD_TO) * PAD_TO


def _plan_epoch(lengths_by_set, recipe, random):
    numbers, tokens = _draw_examples(lengths_by_set, recipe.sets, random)
    order = random.permutation(len(numbers))
    mean = max(1.0, float(tokens.mean()))
    pool = max(1, int(BATCHES_PER_POOL * recipe.batch_tokens / mean))
    batches = []
    for begin in range(0, len(order), pool):
        chosen = order[begin:begin + pool]
        chosen = chosen[numpy.argsort(tokens[chosen], kind="stable")[::-1]]
        at = 0
        while at < len(chosen):
            count = max(1, recipe.batch_tokens // padded(int(tokens[chosen[at]])))
            part = chosen[at:at + count]
            batches.append((numbers[part], tokens[part]))
            at += count
    return [batches[i] for i in random.permutation(len(batches))]


def _draw_examples(lengths_by_set, sets, random):
    all_numbers, all_tokens = [], []
    first = 0
    for lengths, entry in zip(lengths_by_set, sets, strict=True):
        count = len(lengths)
        extra = round((entry.times - int(entry.times)) * count)
        own = numpy.concatenate([numpy.arange(count)] * int(entry.times) + [random.permutation(count)[:extra]])
        windows = random.choice(numpy.array(entry.windows), size=len(own))
        all_numbers.append(own + first)
        all_tokens.append(numpy.minimum(lengths[own], windows))
        first += count
    return numpy.concatenate(all_numbers).astype(numpy.int64), numpy.concatenate(all_tokens).astype(numpy.int32)
