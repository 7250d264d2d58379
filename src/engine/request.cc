#include "engine/request.h"

#include <span>

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

}  // namespace

std::vector<Classification> MakeClassifications(const Request& request, float temperature) {
  const EncodedInputs& inputs = request.inputs;
  const size_t classes = request.logits.size() / static_cast<size_t>(inputs.parts());
  std::vector<Classification> results;
  results.reserve(inputs.texts.size());
  std::vector<float> scores(classes);

  for (const EncodedInputs::Text& text : inputs.texts) {
    Classification result;
    WeightedMean mean_logits(classes), mean_scores(classes);
    for (int part = text.first_part; part < text.first_part + text.parts; ++part) {
      const auto row = std::span(request.logits).subspan(static_cast<size_t>(part) * classes, classes);
      const int tokens = inputs.part_tokens[static_cast<size_t>(part)];
      Activate(row, request.activation, temperature, scores);
      mean_logits.Add(row, tokens);
      mean_scores.Add(scores, tokens);
      result.tokens += tokens;
    }
    result.scores = TopScores(mean_scores.Take(), request.top_k);
    result.logits = mean_logits.Take();
    result.windows = text.parts;
    result.truncated = text.truncated;
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace ks
