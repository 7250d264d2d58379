#include "engine/request.h"

#include <span>
#include <utility>

#include "engine/activation.h"

namespace ks {
namespace {

// Mean of rows weighted by tokens, in double: a text may have thousands of windows.
class WeightedMean {
 public:
  explicit WeightedMean(size_t classes) : sums_(classes, 0.0) {}

  void Add(std::span<const float> row, int weight) {
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += static_cast<double>(row[i]) * weight;
    weight_ += weight;
  }

  std::vector<float> Take() const {
    std::vector<float> mean(sums_.size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] = static_cast<float>(sums_[i] / weight_);
    return mean;
  }

 private:
  std::vector<double> sums_;
  double weight_ = 0;
};

// Windows of a text that ran together share one run: it counts once.
Duration InferTime(const EncodedInputs::Text& text, std::span<const PartRun> part_runs) {
  Duration total(0);
  for (int part = text.first_part; part < text.first_part + text.parts; ++part) {
    const PartRun& run = part_runs[static_cast<size_t>(part)];
    if (part == text.first_part || run.first_of_slice) total += run.duration;
  }
  return total;
}

}  // namespace

std::vector<Classification> MakeClassifications(const EncodedInputs& inputs, std::span<const float> logits,
                                                Activation activation, int top_k, float temperature) {
  const size_t classes = logits.size() / static_cast<size_t>(inputs.parts());
  std::vector<Classification> results;
  results.reserve(inputs.texts.size());
  std::vector<float> scores(classes);

  for (const EncodedInputs::Text& text : inputs.texts) {
    Classification result;
    WeightedMean mean_logits(classes), mean_scores(classes);
    for (int part = text.first_part; part < text.first_part + text.parts; ++part) {
      const auto row = logits.subspan(static_cast<size_t>(part) * classes, classes);
      const int tokens = inputs.part_tokens[static_cast<size_t>(part)];
      Activate(row, activation, temperature, scores);
      mean_logits.Add(row, tokens);
      mean_scores.Add(scores, tokens);
      result.tokens += tokens;
    }
    result.scores = TopScores(mean_scores.Take(), top_k);
    result.logits = mean_logits.Take();
    result.windows = text.parts;
    result.truncated = text.truncated;
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<Classification> MakeClassifications(const Request& request, float temperature) {
  const EncodedInputs& inputs = request.inputs;
  std::vector<Classification> results =
      MakeClassifications(inputs, request.logits, request.activation, request.top_k, temperature);
  for (size_t i = 0; i < results.size(); ++i) results[i].infer = InferTime(inputs.texts[i], request.part_runs);
  return results;
}

}  // namespace ks
