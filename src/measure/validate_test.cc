#include "measure/validate.h"

#include <algorithm>

#include "backend/fake/fake_backend.h"
#include "base/status.h"
#include "engine/testing/tiny_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

DataSet TwentyTexts() {
  DataSet data = {.files = {{.name = "a.txt", .rows = 20, .labelled = false}}};
  for (int i = 0; i < 20; ++i) data.examples.push_back({.text = TinyText(1 + i % 7, i), .file = 0, .line = i + 1});
  return data;
}

ValidationInput Input() {
  ValidationInput input;
  input.models = {TinyModel({.workers = 2}), TinyModel()};
  input.data = TwentyTexts();
  input.gates = DefaultGates("fp32");
  return input;
}

const GateResult& Gate(const ValidationReport& report, std::string_view name) {
  const auto gate = std::ranges::find(report.gates, name, &GateResult::name);
  EXPECT_NE(gate, report.gates.end()) << name;
  return *gate;
}

TEST(Validate, PassesASideAgainstItself) {
  const auto report = Validate(Input());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->passed());
  EXPECT_EQ(report->comparison.texts, 20);
  EXPECT_EQ(report->comparison.probabilities.max, 0);
  EXPECT_EQ(report->sides.candidate.backend, "fake");
  EXPECT_EQ(report->labels.size(), 3u);
  EXPECT_EQ(report->data.examples.size(), 20u);
}

TEST(Validate, TellsWhatItDoes) {
  ValidationInput input = Input();
  std::vector<std::string> stages;
  input.progress = [&](std::string_view stage, int64_t done, int64_t total) {
    if (done == total) stages.emplace_back(stage);
  };
  ASSERT_TRUE(Validate(std::move(input)).ok());
  EXPECT_THAT(stages, ElementsAre("fp32", "fp32"));
}

TEST(Validate, ComparesTheLabelsWithACheckpoint) {
  ValidationInput input = Input();
  const std::vector<std::string> labels = input.models.candidate->spec().labels;
  input.checkpoint_labels = labels;
  input.checkpoint_name = "dir/config.json";
  EXPECT_TRUE(Validate(input)->passed());
  std::swap((*input.checkpoint_labels)[0], (*input.checkpoint_labels)[2]);
  const auto swapped = Validate(input);
  EXPECT_FALSE(swapped->passed());
  EXPECT_EQ(Gate(*swapped, "checkpoint").found, 2);
  EXPECT_EQ(Gate(*swapped, "checkpoint").sentence, Cat("label 0 is ", labels[0], ", dir/config.json says ", labels[2]));
  input.checkpoint_labels->pop_back();
  const auto fewer = Validate(input);
  EXPECT_FALSE(fewer->passed());
}

TEST(Validate, ChecksBatchesOnEverySetGiven) {
  ValidationInput input = Input();
  input.invariance = {{"best", TinyModel()}, {"scalar", TinyModel()}};
  const auto report = Validate(std::move(input));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->passed());
  ASSERT_EQ(report->invariance.size(), 2u);
  EXPECT_EQ(report->invariance[1].isa, "scalar");
  EXPECT_THAT(Gate(*report, "batch-invariance").sentence, HasSubstr("best, scalar"));
}

TEST(Validate, NamesTheSideThatFails) {
  ValidationInput input = Input();
  input.models.reference = TinyModel({.hook = [](const PackedBatch&) { return Internal("the runtime broke"); }});
  const auto report = Validate(std::move(input));
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("fp32: the runtime broke"));
}

TEST(Validate, NeedsTapsForLayersAndTexts) {
  ValidationInput layers = Input();
  layers.layers = true;
  const auto untraced = Validate(std::move(layers));
  EXPECT_EQ(untraced.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(untraced.status().message()), HasSubstr("--layers"));
  ValidationInput empty = Input();
  empty.data.examples.clear();
  EXPECT_EQ(Validate(std::move(empty)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ks
