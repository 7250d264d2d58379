// Tested by layers_test.cc.
#include "measure/layers.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

struct TapValues {
  std::string tap;
  std::vector<float> hidden;  // [rows, width]
  int width = 0;
};

absl::StatusOr<std::vector<TapValues>> Trace(const TokenizedTexts& texts, int text, Backend& backend) {
  std::vector<TapValues> taps;
  RunBuffers buffers;
  const int run[] = {text};
  KS_RETURN_IF_ERROR(backend
                         .RunTraced(buffers.Pack(texts, run),
                                    [&](const Backend::Tap& tap) {
                                      taps.push_back(
                                          {std::string(tap.tap), {tap.hidden.begin(), tap.hidden.end()}, tap.width});
                                    })
                         .status());
  return taps;
}

// Sums of squares.
struct Squares {
  double reference = 0;
  double difference = 0;

  void Add(const Squares& other) {
    reference += other.reference;
    difference += other.difference;
  }
  double Relative() const {
    if (difference == 0) return 0;
    return std::sqrt(difference / reference);  // infinite where the reference is all zeros, as it should be
  }
};

absl::StatusOr<Squares> CompareTap(const TapValues& reference, const TapValues& candidate) {
  const size_t values = std::min(reference.hidden.size(), candidate.hidden.size());
  const auto width = static_cast<size_t>(reference.width);
  const bool same_rows = reference.hidden.size() == candidate.hidden.size() || values == width;
  if (reference.tap != candidate.tap || reference.width != candidate.width || !same_rows) {
    return Internal("the sides show different taps: ", reference.tap, ", ", reference.hidden.size(),
                    " values of width ", reference.width, ", and ", candidate.tap, ", ", candidate.hidden.size(),
                    " of width ", candidate.width);
  }
  Squares squares;
  for (size_t i = 0; i < values; ++i) {
    const double expected = reference.hidden[i];
    const double off = candidate.hidden[i] - expected;
    squares.reference += expected * expected;
    squares.difference += off * off;
  }
  return squares;
}

// What is gathered of one tap.
struct TapSums {
  std::string tap;
  Squares all;
  std::vector<LayerText> texts;
};

LayerDifference Summarize(TapSums sums, double tolerance) {
  LayerDifference layer = {
      .tap = std::move(sums.tap), .difference = sums.all.Relative(), .tolerance = tolerance, .outside = 0, .worst = {}};
  // A NaN is outside every tolerance.
  const auto outside = [&](const LayerText& text) { return !(text.difference <= tolerance); };
  layer.outside = static_cast<int>(std::ranges::count_if(sums.texts, outside));
  std::ranges::stable_sort(sums.texts,
                           [](const LayerText& a, const LayerText& b) { return a.difference > b.difference; });
  const size_t kept = std::min<size_t>(kWorstLayerTexts, sums.texts.size());
  layer.worst.assign(sums.texts.begin(), sums.texts.begin() + static_cast<ptrdiff_t>(kept));
  return layer;
}

}  // namespace

const LayerDifference* LayerComparison::FirstOutside() const {
  const auto first = std::ranges::find_if(layers, [](const LayerDifference& layer) { return layer.outside > 0; });
  return first == layers.end() ? nullptr : &*first;
}

double LayerTolerance(std::string_view precision, int layer) {
  if (precision != "int8") return 1e-5;
  // Default model, calibrated: 0.016 on the worst of 200 texts behind the first layer, 0.046 behind the fifth.
  return layer == 0 ? 0.005 : 0.04 + 0.02 * layer;
}

absl::StatusOr<LayerComparison> CompareLayers(const TokenizedTexts& texts, Backend& reference, Backend& candidate,
                                              const TextProgress& progress) {
  std::vector<TapSums> sums;
  for (int text = 0; text < texts.size(); ++text) {
    KS_ASSIGN_OR_RETURN(const std::vector<TapValues> expected, Trace(texts, text, reference));
    KS_ASSIGN_OR_RETURN(const std::vector<TapValues> found, Trace(texts, text, candidate));
    if (expected.size() != found.size()) {
      return Internal("the reference shows ", expected.size(), " taps, the candidate ", found.size());
    }
    sums.resize(expected.size());
    for (size_t tap = 0; tap < expected.size(); ++tap) {
      KS_ASSIGN_OR_RETURN(const Squares squares, CompareTap(expected[tap], found[tap]));
      sums[tap].tap = expected[tap].tap;
      sums[tap].all.Add(squares);
      sums[tap].texts.push_back({text, squares.Relative()});
    }
    if (progress) progress(text + 1, texts.size());
  }
  LayerComparison comparison = {.texts = texts.size(), .layers = {}};
  for (size_t tap = 0; tap < sums.size(); ++tap) {
    comparison.layers.push_back(
        Summarize(std::move(sums[tap]), LayerTolerance(candidate.facts().precision, static_cast<int>(tap))));
  }
  return comparison;
}

}  // namespace ks
