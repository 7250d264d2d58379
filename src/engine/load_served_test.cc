// A tiny model all the way: converted, loaded, served from several threads.
#include "engine/load_served.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/testing/temp_directory.h"
#include "base/thread.h"
#include "convert/convert.h"
#include "convert/testing/tiny_checkpoint.h"
#include "engine/engine.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Zeros in the middle: the size stays.
void Damage(const std::filesystem::path& path) {
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(size / 2);
  const std::string zeros(static_cast<size_t>(size / 4), '\0');
  file.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
}

class LoadServedTest : public ::testing::TestWithParam<Architecture> {
 protected:
  void SetUp() override {
    const std::filesystem::path checkpoint = directory_ / "checkpoint";
    package_ = directory_ / "package";
    ASSERT_TRUE(WriteTinyCheckpoint(checkpoint, {.architecture = GetParam()}).ok());
    ConvertOptions options;
    options.checkpoint_dir = checkpoint;
    options.output_dir = package_;
    options.overwrite = true;
    const absl::StatusOr<ConvertReport> report = Convert(options);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_FALSE(report->manifest.self_checks.empty()) << "nothing would be checked";
  }

  const TempDirectory directory_;
  std::filesystem::path package_;
};

void ExpectTheSameAloneAndInCompany(const std::filesystem::path& package, const std::string& precision,
                                    float tolerance) {
  const absl::StatusOr<LoadedModel> loaded = LoadServedModel(package, {.precision = precision, .threads = 2});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  CountingMetrics metrics;
  const auto engine = *Engine::Create(loaded->model, {}, metrics, SystemClock());
  absl::StatusOr<std::unique_ptr<Backend>> wide = OpenServedWide(*loaded, 0);
  ASSERT_TRUE(wide.ok()) << wide.status();
  ASSERT_EQ(*wide != nullptr, precision == "int8");
  if (*wide != nullptr) {
    ASSERT_TRUE(engine->AddWide("onnx", *std::move(wide)).ok());
  }

  const std::vector<std::string> texts = {"good movie", "this is not great", "bad", "awful, awful, awful!",
                                          "i love the movie"};
  std::vector<std::vector<float>> alone;
  for (const std::string& text : texts) {
    const absl::StatusOr<ClassifyResult> result = engine->Classify(Inputs({text}), {});
    ASSERT_TRUE(result.ok()) << result.status();
    alone.push_back(result->results[0].logits);
  }
  EXPECT_EQ(metrics.counts().wide_runs > 0, precision == "int8") << "on all cores";
  const auto expect_same = [&] {
    const absl::StatusOr<ClassifyResult> batch = engine->Classify(Inputs(texts), {});
    ASSERT_TRUE(batch.ok()) << batch.status();
    for (size_t i = 0; i < texts.size(); ++i) {
      for (size_t c = 0; c < alone[i].size(); ++c) EXPECT_NEAR(batch->results[i].logits[c], alone[i][c], tolerance);
    }
  };
  std::vector<std::unique_ptr<Thread>> threads;
  for (int t = 0; t < 4; ++t) threads.push_back(std::make_unique<Thread>("client", expect_same));
}

TEST_P(LoadServedTest, ServesWhatConvertMadeTheSameAloneAndInCompany) {
  ExpectTheSameAloneAndInCompany(package_, "fp32", 1e-5f);
}

TEST_P(LoadServedTest, ServesInt8WithTheSameBitsAloneAndInCompany) {
  ExpectTheSameAloneAndInCompany(package_, "int8", 0);
}

TEST_P(LoadServedTest, RefusesWhatThisProgramDoesNotHave) {
  absl::Status status = LoadServedModel(package_, {.backend = "tensorflow"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected onnx or pytorch, found tensorflow"));
  // No plugin lies beside this test.
  status = LoadServedModel(package_, {.backend = "pytorch"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("libkubesentiment_torch.so is not there"));
  status = LoadServedModel(package_, {.precision = "fp16"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no precision fp16, it has fp32, int8"));
}

// The size is right and the hashes are looked at later: only the self-check stands before it.
TEST_P(LoadServedTest, RefusesDamagedWeights) {
  for (const auto& [precision, file] : {std::pair("fp32", "model.safetensors"), std::pair("int8", "int8.bin")}) {
    SCOPED_TRACE(precision);
    ASSERT_TRUE(LoadServedModel(package_, {.precision = precision}).ok());
    Damage(package_ / file);
    const absl::Status status = LoadServedModel(package_, {.precision = precision}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("self-check text 1 of "));
  }
}

TEST_P(LoadServedTest, FallsBackToFp32WhereInt8IsDamaged) {
  Damage(package_ / "int8.bin");
  const absl::StatusOr<LoadedModel> loaded = LoadServedModel(package_, {.fall_back = true});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->plan.precision, "fp32");
  EXPECT_EQ(loaded->model->groups()[0].workers[0]->facts().precision, "fp32");
}

INSTANTIATE_TEST_SUITE_P(Architectures, LoadServedTest,
                         ::testing::Values(Architecture::kBert, Architecture::kDistilBert),
                         [](const auto& instance) { return std::string(ArchitectureName(instance.param)); });

}  // namespace
}  // namespace ks
