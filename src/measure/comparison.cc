// One pass over the texts fills everything. Tested by comparison_test.cc.
#include "measure/comparison.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/activation.h"

namespace ks {
namespace {

constexpr int kShortestBucket = 8;  // further ones double
constexpr double kHistogramBegins = 1e-8;
constexpr int kBinsPerDecade = 2;
constexpr int kHistogramDecades = 8;
constexpr float kLabelThreshold = 0.5f;  // of a model that gives several labels at once

// The smallest power of two times kShortestBucket that holds `tokens`, as its exponent.
size_t BucketOf(int tokens) {
  size_t bucket = 0;
  for (int64_t to = kShortestBucket; to < tokens; to *= 2) ++bucket;
  return bucket;
}

// Bin 0 is everything below kHistogramBegins; the last one has no upper end.
size_t BinOf(double difference) {
  if (difference < kHistogramBegins) return 0;
  const double position = std::log10(difference / kHistogramBegins) * kBinsPerDecade;
  return 1 + std::min(static_cast<size_t>(position), static_cast<size_t>(kBinsPerDecade * kHistogramDecades - 1));
}

double BinEnd(size_t bin) { return kHistogramBegins * std::pow(10.0, static_cast<double>(bin) / kBinsPerDecade); }

// What the two sides say of one text.
struct TextResult {
  Sides<std::vector<float>> scores;
  Sides<int> label;  // an index into the classes that count
  bool agree = false;
  float difference = 0;  // the largest
};

class Comparer {
 public:
  explicit Comparer(const ComparisonInput& input) : input_(input), labels_(input.spec->num_labels()) {
    result_.classes = input.classes;
    if (result_.classes.empty()) {
      result_.classes.resize(static_cast<size_t>(labels_));
      std::iota(result_.classes.begin(), result_.classes.end(), 0);
    }
    class_of_.assign(static_cast<size_t>(labels_), kNoLabel);
    for (size_t c = 0; c < result_.classes.size(); ++c) class_of_[result_.classes[c]] = static_cast<int>(c);
    result_.sides = ConfusionMatrix(Classes());
    files_.resize(input.data->files.size());
    for (size_t i = 0; i < files_.size(); ++i) files_[i].file = static_cast<int>(i);
    result_.histogram.resize(1 + kBinsPerDecade * kHistogramDecades);
  }

  Comparison Run() {
    for (int i = 0; i < input_.texts->size(); ++i) Add(i);
    Finish();
    return std::move(result_);
  }

 private:
  int Classes() const { return static_cast<int>(result_.classes.size()); }

  int Label(std::span<const float> scores) const {
    const auto better = [&](int a, int b) { return scores[a] < scores[b]; };
    return static_cast<int>(std::ranges::max_element(result_.classes, better) - result_.classes.begin());
  }

  bool Agree(const TextResult& text) const {
    if (input_.spec->activation != Activation::kSigmoid) return text.label.reference == text.label.candidate;
    return std::ranges::all_of(result_.classes, [&](int c) {
      return (text.scores.reference[c] >= kLabelThreshold) == (text.scores.candidate[c] >= kLabelThreshold);
    });
  }

  TextResult Score(int i) {
    TextResult text;
    const auto activate = [&](const Logits& logits, std::vector<float>& scores) {
      scores.resize(static_cast<size_t>(labels_));
      Activate(logits.row(i), input_.spec->activation, input_.temperature, scores);
    };
    activate(*input_.logits.reference, text.scores.reference);
    activate(*input_.logits.candidate, text.scores.candidate);
    text.label = {Label(text.scores.reference), Label(text.scores.candidate)};
    text.agree = Agree(text);
    for (int c = 0; c < labels_; ++c) {
      const float off = std::abs(text.scores.reference[c] - text.scores.candidate[c]);
      probabilities_.push_back(off);
      logits_.push_back(std::abs(input_.logits.reference->row(i)[c] - input_.logits.candidate->row(i)[c]));
      text.difference = std::max(text.difference, off);
    }
    return text;
  }

  void AddAccuracy(const TextResult& text, int expected, std::optional<AccuracyComparison>& accuracy) const {
    if (!accuracy) accuracy = {{ConfusionMatrix(Classes()), ConfusionMatrix(Classes())}, 0, 0};
    accuracy->confusion.reference.Add(expected, text.label.reference);
    accuracy->confusion.candidate.Add(expected, text.label.candidate);
    const bool reference_right = text.label.reference == expected;
    const bool candidate_right = text.label.candidate == expected;
    accuracy->lost += reference_right && !candidate_right;
    accuracy->gained += candidate_right && !reference_right;
  }

  void AddLabelled(int i, int label) {
    labels_given_.push_back(label);
    for (const int c : result_.classes) {
      labelled_logits_.reference.push_back(input_.logits.reference->row(i)[c]);
      labelled_logits_.candidate.push_back(input_.logits.candidate->row(i)[c]);
    }
  }

  void AddLength(const TextResult& text, int tokens) {
    const size_t bucket = BucketOf(tokens);
    if (bucket >= lengths_.size()) lengths_.resize(bucket + 1);
    lengths_[bucket].agreeing += text.agree;
    lengths_[bucket].differences.insert(lengths_[bucket].differences.end(), probabilities_.end() - labels_,
                                        probabilities_.end());
  }

  void Add(int i) {
    const TextResult text = Score(i);
    const Example& example = input_.data->examples[i];
    ++result_.texts;
    result_.agreeing += text.agree;
    result_.sides.Add(text.label.reference, text.label.candidate);
    ++result_.histogram[BinOf(text.difference)].texts;
    AddLength(text, input_.texts->tokens(i));
    FileComparison& file = files_[example.file];
    ++file.texts;
    file.agreeing += text.agree;
    if (example.label != kNoLabel) {
      AddAccuracy(text, class_of_[example.label], file.accuracy);
      AddAccuracy(text, class_of_[example.label], result_.accuracy);
      AddLabelled(i, class_of_[example.label]);
    }
    order_.emplace_back(text.difference, i);
  }

  SideReliability MeasureSide(const std::vector<float>& labelled) const {
    const LabelledLogits logits = {.values = labelled, .labels = labels_given_, .classes = Classes()};
    return {.served = MeasureReliability(logits, input_.temperature),
            .fitted = MeasureReliability(logits, FitTemperature(logits))};
  }

  void FinishReliability() {
    if (labels_given_.empty() || input_.spec->activation != Activation::kSoftmax) return;
    result_.reliability.emplace(MeasureSide(labelled_logits_.reference), MeasureSide(labelled_logits_.candidate));
  }

  void FinishFiles() {
    std::vector<double> p_values;
    for (FileComparison& file : files_) {
      if (!file.accuracy) continue;
      file.p_value = McNemarP(file.accuracy->lost, file.accuracy->gained);
      p_values.push_back(file.p_value);
    }
    const std::vector<double> adjusted = HolmAdjust(p_values);
    size_t next = 0;
    for (FileComparison& file : files_) {
      if (file.accuracy) file.p_adjusted = adjusted[next++];
      if (file.texts > 0) result_.files.push_back(std::move(file));
    }
  }

  void FinishLengths() {
    int from = 1;
    int to = kShortestBucket;
    for (Length& length : lengths_) {
      const auto texts = static_cast<int64_t>(length.differences.size()) / labels_;
      if (texts > 0) {
        result_.lengths.push_back({from, to, texts, length.agreeing, Summarize(std::move(length.differences))});
      }
      from = to + 1;
      to *= 2;
    }
  }

  // Bins without texts at both ends are left out.
  void FinishHistogram() {
    auto& bins = result_.histogram;
    for (size_t i = 0; i < bins.size(); ++i) {
      bins[i].from = i == 0 ? 0 : BinEnd(i - 1);
      bins[i].to = BinEnd(i);
    }
    const auto holds = [](const HistogramBin& bin) { return bin.texts > 0; };
    bins.erase(std::find_if(bins.rbegin(), bins.rend(), holds).base(), bins.end());
    bins.erase(bins.begin(), std::ranges::find_if(bins, holds));
  }

  // The scores are computed again rather than kept for all.
  void FinishWorst() {
    const size_t count = std::min<size_t>(kWorstTexts, order_.size());
    const auto worse = [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    std::partial_sort(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(count), order_.end(), worse);
    for (size_t k = 0; k < count; ++k) {
      TextResult text = Score(order_[k].second);
      result_.worst.push_back({order_[k].second,
                               text.difference,
                               std::move(text.scores),
                               {result_.classes[text.label.reference], result_.classes[text.label.candidate]}});
    }
  }

  void Finish() {
    result_.probabilities = Summarize(std::move(probabilities_));
    result_.logits = Summarize(std::move(logits_));
    probabilities_.clear();
    logits_.clear();
    FinishReliability();
    FinishFiles();
    FinishLengths();
    FinishHistogram();
    FinishWorst();
  }

  struct Length {
    int64_t agreeing = 0;
    std::vector<float> differences;
  };

  const ComparisonInput& input_;
  const int labels_;
  std::vector<int> class_of_;  // by label
  Comparison result_;
  std::vector<float> probabilities_;           // [N, C]
  std::vector<float> logits_;                  // [N, C]
  std::vector<int> labels_given_;              // [L], of the labelled texts: indices into the classes that count
  Sides<std::vector<float>> labelled_logits_;  // [L, classes that count]
  std::vector<FileComparison> files_;
  std::vector<Length> lengths_;
  std::vector<std::pair<float, int>> order_;  // the largest difference, and whose
};

}  // namespace

Comparison Compare(const ComparisonInput& input) { return Comparer(input).Run(); }

}  // namespace ks
