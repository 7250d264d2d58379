#include "measure/bench_throughput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using std::chrono::milliseconds;

std::unique_ptr<Engine> StartEngine(FakeBackend::Hook hook, CountingMetrics& metrics) {
  auto engine = Engine::Create(TinyModel({.workers = 2, .hook = std::move(hook)}), {}, metrics, SystemClock());
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

const BenchBudget kShort = {.warm_up = milliseconds(5), .time = milliseconds(50), .min_runs = 1};

TEST(MeasureThroughput, CountsTheAnswersOfEachNumberOfCallers) {
  CountingMetrics metrics;
  const auto engine = StartEngine(nullptr, metrics);
  const std::vector<std::string> texts = {TinyText(3), TinyText(3, 1), TinyText(3, 2)};
  const std::vector<int> callers = {1, 4};
  std::vector<std::string> told;
  const auto rows = MeasureThroughput(*engine, texts, callers, kShort, SystemClock(),
                                      [&](std::string_view what) { told.emplace_back(what); });
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(told, testing::ElementsAre("throughput 1 caller", "throughput 4 callers"));
  ASSERT_EQ(rows->size(), 2u);
  for (const ThroughputRow& row : *rows) {
    EXPECT_GT(row.answer.count, 0);
    EXPECT_DOUBLE_EQ(row.texts_per_second, static_cast<double>(row.answer.count) / 0.05);
    EXPECT_DOUBLE_EQ(row.tokens_per_second, row.texts_per_second * 5);  // [CLS] w w w [SEP]
  }
  EXPECT_EQ((*rows)[0].callers, 1);
  EXPECT_EQ((*rows)[1].callers, 4);
}

TEST(MeasureThroughput, FailsAsTheEngineFails) {
  CountingMetrics metrics;
  const auto engine =
      StartEngine([](const PackedBatch&) { return absl::InternalError("the kernel fell over"); }, metrics);
  const std::vector<std::string> texts = {TinyText(3)};
  const std::vector<int> callers = {2};
  const auto rows = MeasureThroughput(*engine, texts, callers, kShort, SystemClock(), [](std::string_view) {});
  EXPECT_FALSE(rows.ok());
  EXPECT_THAT(std::string(rows.status().message()), testing::HasSubstr("the kernel fell over"));
}

}  // namespace
}  // namespace ks
