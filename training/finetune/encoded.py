"""Texts as token ids, in one flat array."""

import numpy
import tokenizers

_CHUNK = 8192


class Encoded:
    """The ids of many texts end to end: text i is ids[offsets[i]:offsets[i + 1]], [CLS] and [SEP] included."""

    def __init__(self, ids, offsets):
        self.ids = ids
        self.offsets = offsets

    def __len__(self):
        return len(self.offsets) - 1

    def lengths(self):
        return numpy.diff(self.offsets)

    def batch(self, numbers, tokens, width, pad_id=0):
        """(input_ids, attention_mask), int64 [B, width]: text numbers[i] cut to tokens[i], its last token ([SEP]) kept."""
        ids = numpy.full((len(numbers), width), pad_id, dtype=numpy.int64)
        mask = numpy.zeros((len(numbers), width), dtype=numpy.int64)
        for row, (number, count) in enumerate(zip(numbers, tokens, strict=True)):
            begin, end = self.offsets[number], self.offsets[number + 1]
            count = min(int(count), int(end - begin))
            ids[row, :count - 1] = self.ids[begin:begin + count - 1]
            ids[row, count - 1] = self.ids[end - 1]
            mask[row, :count] = 1
        return ids, mask


def encode(tokenizer_json, texts, window):
    """Encodes `texts` with the tokenizer.json at this path, each cut to `window` tokens, whatever the file asks for."""
    tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    parts, lengths = [], []
    for begin in range(0, len(texts), _CHUNK):
        for made in tokenizer.encode_batch_fast(texts[begin:begin + _CHUNK]):
            parts.append(numpy.array(made.ids, dtype=numpy.int32))
            lengths.append(len(made.ids))
    return Encoded(numpy.concatenate(parts), numpy.concatenate([[0], numpy.cumsum(lengths)]))
