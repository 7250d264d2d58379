// Tested by validate_test.cc, and on real packages by tests/integration/test_validate.py.
#include "measure/validate.h"

#include <algorithm>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

Workers WorkersOf(const ServedModel& model) {
  Workers workers;
  for (const auto& worker : model.groups().front().workers) workers.push_back(worker.get());
  return workers;
}

SideDescription Describe(const ServedModel& model) {
  const BackendFacts& facts = model.groups().front().workers.front()->facts();
  return {.backend = facts.name, .precision = facts.precision};
}

// `count` of `all`, evenly; all of them where there are no more.
std::vector<int> EvenlyChosen(int all, int count) {
  std::vector<int> chosen(static_cast<size_t>(std::min(all, count)));
  for (size_t i = 0; i < chosen.size(); ++i) {
    chosen[i] = static_cast<int>(static_cast<int64_t>(i) * all / static_cast<int64_t>(chosen.size()));
  }
  return chosen;
}

TokenizedTexts Subset(const TokenizedTexts& texts, const std::vector<int>& chosen) {
  TokenizedTexts subset;
  for (const int i : chosen) {
    const auto ids = texts.text(i);
    subset.ids.insert(subset.ids.end(), ids.begin(), ids.end());
    subset.offsets.push_back(static_cast<int64_t>(subset.ids.size()));
  }
  return subset;
}

class Validator {
 public:
  explicit Validator(ValidationInput input) : input_(std::move(input)) {}

  absl::StatusOr<ValidationReport> Run() {
    if (input_.data.examples.empty()) return InvalidArgument("there are no texts to validate on");
    Describe();
    KS_ASSIGN_OR_RETURN(report_.texts,
                        TokenizeExamples(Candidate().tokenizer(), report_.data.examples, report_.window));
    KS_RETURN_IF_ERROR(CompareSides());
    report_.gates = Judge(report_.comparison, report_.data, input_.gates);
    if (input_.checkpoint_labels) report_.gates.push_back(JudgeLabels());
    if (input_.layers) KS_RETURN_IF_ERROR(RunLayers());
    for (const InvarianceSide& side : input_.invariance) KS_RETURN_IF_ERROR(RunInvariance(side));
    if (!input_.invariance.empty()) report_.gates.push_back(JudgeInvariance());
    return std::move(report_);
  }

 private:
  const ServedModel& Candidate() const { return *input_.models.candidate; }
  const ServedModel& Reference() const { return *input_.models.reference; }

  TextProgress Progress(std::string stage) const {
    if (!input_.progress) return nullptr;
    return [this, stage = std::move(stage)](int64_t done, int64_t total) { input_.progress(stage, done, total); };
  }

  void Describe() {
    const Manifest& manifest = Candidate().manifest();
    report_.model = manifest.name;
    report_.source_sha256 = manifest.source_sha256;
    report_.labels = manifest.spec.labels;
    report_.temperature = manifest.temperature;
    report_.window = manifest.window;
    report_.sides = {ks::Describe(Reference()), ks::Describe(Candidate())};
    report_.samples = input_.samples;
    report_.data = std::move(input_.data);
  }

  absl::Status CompareSides() {
    const Workers reference = WorkersOf(Reference());
    const Workers candidate = WorkersOf(Candidate());
    // The same runs for both, so that a difference is the models' alone.
    const int max_tokens = std::min(reference.front()->facts().max_tokens, candidate.front()->facts().max_tokens);
    const TextRuns runs = PlanRuns(report_.texts, max_tokens);
    const auto run = [&](const Workers& workers, const SideDescription& side) -> absl::StatusOr<Logits> {
      absl::StatusOr<Logits> logits = RunTexts(report_.texts, runs, workers, Progress(side.Name()));
      KS_RETURN_IF_ERROR(WithContext(logits.status(), side.Name()));
      return logits;
    };
    KS_ASSIGN_OR_RETURN(const Logits expected, run(reference, report_.sides.reference));
    KS_ASSIGN_OR_RETURN(const Logits found, run(candidate, report_.sides.candidate));
    if (expected.classes != found.classes || found.classes != Candidate().spec().num_labels()) {
      return Internal("the sides give ", expected.classes, " and ", found.classes, " logits for ",
                      Candidate().spec().num_labels(), " labels");
    }
    report_.comparison = Compare({.data = &report_.data,
                                  .texts = &report_.texts,
                                  .logits = {&expected, &found},
                                  .spec = &Candidate().spec(),
                                  .temperature = report_.temperature,
                                  .classes = input_.classes});
    return absl::OkStatus();
  }

  GateResult JudgeLabels() const {
    const std::vector<std::string>& expected = *input_.checkpoint_labels;
    const std::vector<std::string>& found = report_.labels;
    GateResult gate = {.name = "checkpoint",
                       .flag = "--checkpoint",
                       .bound = 0,
                       .found = 0,
                       .passed = true,
                       .sentence = Cat("the labels and their order are those of ", input_.checkpoint_name)};
    if (expected.size() != found.size()) {
      gate.sentence =
          Cat("the package has ", found.size(), " labels, ", input_.checkpoint_name, " has ", expected.size());
      gate.found = 1;
    }
    for (size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
      if (expected[i] == found[i]) continue;
      if (gate.found == 0) {
        gate.sentence = Cat("label ", i, " is ", found[i], ", ", input_.checkpoint_name, " says ", expected[i]);
      }
      ++gate.found;
    }
    gate.passed = gate.found == 0;
    return gate;
  }

  absl::Status RunLayers() {
    const std::vector<int> chosen = EvenlyChosen(report_.texts.size(), kLayerTexts);
    absl::StatusOr<LayerComparison> layers =
        CompareLayers(Subset(report_.texts, chosen), *WorkersOf(Reference()).front(), *WorkersOf(Candidate()).front(),
                      Progress("layers"));
    KS_RETURN_IF_ERROR(WithContext(layers.status(), "--layers"));
    for (LayerDifference& layer : layers->layers) {
      for (LayerText& text : layer.worst) text.example = chosen[text.example];
    }
    report_.layers = *std::move(layers);
    report_.gates.push_back(JudgeLayers());
    return absl::OkStatus();
  }

  GateResult JudgeLayers() const {
    GateResult gate = {.name = "layers",
                       .flag = "--layers",
                       .bound = 0,
                       .found = 0,
                       .passed = true,
                       .sentence = "no text leaves the tolerance of a layer"};
    const LayerDifference* first = report_.layers->FirstOutside();
    if (first == nullptr) return gate;
    gate.passed = false;
    gate.found = first->outside;
    gate.sentence = Cat("the sides part at ", first->tap, ", where ", first->outside, " of ", report_.layers->texts,
                        " texts leave the tolerance of ", first->tolerance, ":");
    for (size_t i = 0; i < first->worst.size() && i < static_cast<size_t>(first->outside); ++i) {
      const Example& example = report_.data.examples[first->worst[i].example];
      gate.sentence += Cat(i == 0 ? " " : ", ", report_.data.files[example.file].name, " line ", example.line);
    }
    return gate;
  }

  absl::Status RunInvariance(const InvarianceSide& side) {
    const int count = report_.invariance.empty() ? report_.texts.size() : kOtherIsaTexts;
    const std::vector<int> chosen = EvenlyChosen(report_.texts.size(), count);
    absl::StatusOr<InvarianceResult> result = CheckBatchInvariance(
        Subset(report_.texts, chosen), WorkersOf(*side.model), Progress(Cat("batches on ", side.isa)));
    KS_RETURN_IF_ERROR(WithContext(result.status(), Cat("--batch-invariance on ", side.isa)));
    result->isa = side.isa;
    if (result->first_different) result->first_different = chosen[*result->first_different];
    report_.invariance.push_back(*std::move(result));
    return absl::OkStatus();
  }

  GateResult JudgeInvariance() const {
    GateResult gate = {.name = "batch-invariance",
                       .flag = "--batch-invariance",
                       .bound = 0,
                       .found = 0,
                       .passed = true,
                       .sentence = "every text has the same bits alone and in batches on"};
    for (const InvarianceResult& result : report_.invariance) {
      if (gate.passed) gate.sentence += Cat(&result == report_.invariance.data() ? " " : ", ", result.isa);
      gate.found += static_cast<double>(result.different);
      if (result.different == 0 || !gate.passed) continue;
      gate.passed = false;
      const Example& example = report_.data.examples[*result.first_different];
      gate.sentence = Cat("on ", result.isa, " ", result.different, " of ", result.batched,
                          " texts in batches have other bits than alone, among them ",
                          report_.data.files[example.file].name, " line ", example.line);
    }
    return gate;
  }

  ValidationInput input_;
  ValidationReport report_;
};

}  // namespace

absl::StatusOr<ValidationReport> Validate(ValidationInput input) { return Validator(std::move(input)).Run(); }

}  // namespace ks
