"""What a figure must reach: the hardware's bound of a row, and the verdict between that and the ratio to a peer."""
import dataclasses
import math

# Where so much of the bound is reached the ratio to a peer counts no more; over HTTP the load generator shares the cores.
SHARE, HTTP_SHARE = 0.65, 0.50


@dataclasses.dataclass(frozen=True)
class Encoder:
    layers: int
    hidden: int
    intermediate: int

    def weights(self):
        """Of the linears of one layer: query, key, value and attention output, and the two of the feed-forward."""
        return 4 * self.hidden ** 2 + 2 * self.hidden * self.intermediate

    def multiply_adds(self, tokens, texts):
        """Of the int8 linears of one run: the last layer computes but keys and values of all tokens, everything else of first
        tokens alone (src/backend/onnx/encoder_layer.cc)."""
        keys_and_values = 2 * self.hidden ** 2
        return tokens * ((self.layers - 1) * self.weights() + keys_and_values) + texts * (self.weights() - keys_and_values)

    def weight_bytes(self):
        return self.layers * self.weights()


def encoder_of(config):
    """Of a checkpoint's config.json."""
    first = lambda *names: next(config[name] for name in names if name in config)  # noqa: E731
    return Encoder(first("num_hidden_layers", "n_layers"), first("hidden_size", "dim"), first("intermediate_size", "hidden_dim"))


@dataclasses.dataclass(frozen=True)
class Peaks:
    gops: float  # of one core, with the instruction set in use: multiplications and additions
    gbps: dict   # {cores: of all of them together, reading this model's weights}

    def seconds(self, encoder, tokens, texts, cores):
        """The shortest time in which `cores` can do one run of `tokens` tokens of `texts` texts; nothing but its linears."""
        return max(2 * encoder.multiply_adds(tokens, texts) / (self.gops * 1e9 * cores),
                   encoder.weight_bytes() / (self.gbps[cores] * 1e9))


@dataclasses.dataclass(frozen=True)
class Verdict:
    ratio: float            # to the peer: more is better
    bar: float              # of the table
    required: float         # what is asked in the end
    reached: float | None   # share of the bound; None without a bound

    @property
    def met(self):
        return self.ratio >= self.required

    @property
    def counted(self):
        """In a mean: a length that the bound excuses counts at its bar."""
        return max(self.ratio, self.bar) if self.met else self.ratio

    def text(self):
        if self.ratio >= self.bar:
            return "met"
        at = f"{self.reached:.0%} of the bound" if self.reached is not None else "no bound measured"
        if self.met:
            return f"met by the bound: {at}"
        return f"**short by {1 - self.ratio / self.required:.0%}** of {self.required:.2f} x; {at}"


def judge(ours, peer, bar, bound=None, share=SHARE):
    """`ours`, `peer`, `bound`: seconds for the same work. The ratio `bar` or `share` of the bound, whichever asks less, but
    never less than the peer's own speed."""
    by_bound = share * peer / bound if bound else math.inf
    return Verdict(peer / ours, bar, max(1.0, min(bar, by_bound)), bound / ours if bound else None)


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))
