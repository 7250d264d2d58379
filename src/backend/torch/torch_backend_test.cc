// The same cases as on the ONNX backend where they apply (onnx_backend_test.cc), on a package that convert made.
#include "backend/torch/torch_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "backend/onnx/testing/backend_expectations.h"
#include "backend/torch/torch_plugin.h"
#include "base/testing/temp_directory.h"
#include "base/thread.h"
#include "convert/convert.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kTinyWindow = 40;
constexpr double kBatchTolerance = 2e-6;

std::vector<GoldenCase> Golden(std::string_view model) {
  const absl::StatusOr<std::vector<GoldenCase>> cases = ReadGolden(KS_SOURCE_DIR, model);
  EXPECT_TRUE(cases.ok()) << cases.status();
  return cases.value_or(std::vector<GoldenCase>());
}

class TorchBackendTest : public ::testing::Test {
 protected:
  // The package in `directory_`, of a tiny model unless `checkpoint` names another.
  std::shared_ptr<const Package> MakePackage(Architecture architecture = Architecture::kBert,
                                             fs::path checkpoint = {}) {
    if (checkpoint.empty()) {
      checkpoint = scratch_ / "checkpoint";
      EXPECT_TRUE(WriteTinyCheckpoint(checkpoint, {.architecture = architecture}).ok());
    }
    ConvertOptions options;
    options.checkpoint_dir = checkpoint;
    options.output_dir = directory_;
    const auto report = Convert(options);
    EXPECT_TRUE(report.ok()) << report.status();
    const auto package = Package::Open(directory_);
    EXPECT_TRUE(package.ok()) << package.status();
    return package.ok() ? *package : nullptr;
  }

  static absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenGroup(std::shared_ptr<const Package> package,
                                                                         TorchOptions options, int count) {
    if (options.plugin.empty()) options.plugin = KS_TORCH_PLUGIN;
    return TorchBackend::OpenGroup(std::move(package), options, count);
  }

  static std::unique_ptr<Backend> Open(std::shared_ptr<const Package> package, TorchOptions options = {}) {
    auto group = OpenGroup(std::move(package), std::move(options), 1);
    EXPECT_TRUE(group.ok()) << group.status();
    return group.ok() ? std::move(group->front()) : nullptr;
  }

  const TempDirectory scratch_;
  const fs::path directory_ = scratch_ / "package";
};

TEST_F(TorchBackendTest, GivesPyTorchsLogitsForTheDefaultModel) {
  const auto package = MakePackage(Architecture::kBert, fs::path(KS_SOURCE_DIR) / "models" / "default");
  ExpectGolden(*Open(package), Golden("default"));
  ExpectGolden(*Open(package, {.threads = 2}), Golden("default"));
}

TEST_F(TorchBackendTest, GivesBertsLogitsOneByOneAndInBatches) {
  const auto backend = Open(MakePackage(Architecture::kBert));
  ExpectGolden(*backend, Golden("tiny_bert"));
  ExpectBatchesToMatchSingles(*backend, Golden("tiny_bert"), kBatchTolerance);
}

TEST_F(TorchBackendTest, GivesDistilBertsLogitsOneByOneAndInBatches) {
  const auto backend = Open(MakePackage(Architecture::kDistilBert));
  ExpectGolden(*backend, Golden("tiny_distilbert"));
  ExpectBatchesToMatchSingles(*backend, Golden("tiny_distilbert"), kBatchTolerance);
}

TEST_F(TorchBackendTest, GivesTheSameBitsInEveryRun) {
  const auto package = MakePackage();
  const GoldenBatch batch(Golden("tiny_bert"));
  const auto first = Open(package)->Run(batch.view());
  const auto again = Open(package)->Run(batch.view());
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->values, again->values);
}

TEST_F(TorchBackendTest, TakesMissingTokenTypesAsZeros) {
  const auto backend = Open(MakePackage());
  const std::vector<GoldenCase> golden = Golden("tiny_bert");
  const GoldenBatch batch({golden[2], golden[3]});
  const absl::StatusOr<Logits> with = backend->Run(batch.view());
  const absl::StatusOr<Logits> without = backend->Run(batch.without_types());
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_EQ(with->values, without->values);
}

TEST_F(TorchBackendTest, TakesAWholeWindowAndNoMore) {
  const auto backend = Open(MakePackage());
  const std::vector<int32_t> ids(kTinyWindow + 1, 5), whole = {0, kTinyWindow, kTinyWindow + 1};
  EXPECT_TRUE(backend->Run({ids, whole, {}}).ok());
  const std::vector<int32_t> longer = {0, kTinyWindow + 1};
  ExpectError(backend->Run({ids, longer, {}}).status(), absl::StatusCode::kInvalidArgument,
              "sequence 0 has 41 tokens, expected 1 to 40");
}

TEST_F(TorchBackendTest, StatesItsFacts) {
  const auto backend = Open(MakePackage(), {.threads = 2, .max_tokens = 300});
  const BackendFacts& facts = backend->facts();
  EXPECT_EQ(facts.name, "pytorch");
  EXPECT_EQ(facts.precision, "fp32");
  EXPECT_EQ(facts.max_tokens, 300);
  EXPECT_EQ(facts.max_tokens_per_sequence, kTinyWindow);
  EXPECT_EQ(facts.classes, 3);
  EXPECT_EQ(facts.threads, 2);
  EXPECT_TRUE(facts.pads);
}

TEST_F(TorchBackendTest, RefusesBatchesOutsideItsFacts) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto backend = Open(MakePackage());
  const std::vector<int32_t> two = {0, 2};
  const auto run = [&](std::vector<int32_t> ids, std::vector<int32_t> types) {
    return backend->Run({ids, two, types}).status();
  };
  ExpectError(run({5, 9999}, {}), kInvalid, "id at token 1 lies outside the vocabulary");
  ExpectError(run({5, 6}, {0, 2}), kInvalid, "token type at token 1 is 2, expected 0 to 1");
  EXPECT_TRUE(run({5, 6}, {0, 1}).ok());
}

TEST_F(TorchBackendTest, RefusesTokenTypesOfAModelWithout) {
  const auto backend = Open(MakePackage(Architecture::kDistilBert));
  const std::vector<int32_t> ids = {5, 6}, offsets = {0, 2}, zeros = {0, 0}, ones = {0, 1};
  EXPECT_TRUE(backend->Run({ids, offsets, zeros}).ok());
  ExpectError(backend->Run({ids, offsets, ones}).status(), absl::StatusCode::kInvalidArgument,
              "token type at token 1 is 1, expected 0 to 0");
}

TEST_F(TorchBackendTest, RefusesOptionsOutOfRange) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto package = MakePackage();
  ExpectError(OpenGroup(package, {.threads = 0}, 1).status(), kInvalid, "threads is 0, expected 1 or more");
  ExpectError(OpenGroup(package, {.max_tokens = 39}, 1).status(), kInvalid,
              "max_tokens is 39, expected at least the model's window of 40");
  ExpectError(OpenGroup(package, {}, 0).status(), kInvalid, "a group of 0 backends");
}

TEST_F(TorchBackendTest, SaysWhatToInstallWhereThePluginIsNot) {
  ExpectError(OpenGroup(MakePackage(), {.plugin = scratch_ / "nowhere.so"}, 1).status(),
              absl::StatusCode::kFailedPrecondition,
              "nowhere.so is not there: this program was built without LibTorch");
}

TEST_F(TorchBackendTest, GroupsAnswerOnManyThreadsAtATime) {
  const auto package = MakePackage();
  const std::vector<GoldenCase> golden = Golden("tiny_bert");
  for (const int threads : {1, 2}) {
    auto group = OpenGroup(package, {.threads = threads}, 3);
    ASSERT_TRUE(group.ok()) << group.status();
    std::vector<std::unique_ptr<Thread>> running;
    for (const std::unique_ptr<Backend>& backend : *group) {
      running.push_back(std::make_unique<Thread>("caller", [&] {
        for (int i = 0; i < 5; ++i) ExpectGolden(*backend, golden);
      }));
    }
  }
}

TEST_F(TorchBackendTest, ReportsMemoryThatRanOutAndWorksAgain) {
  const auto backend = Open(MakePackage(), {.max_tokens = 200000});
  ExpectGolden(*backend, Golden("tiny_bert"));  // what is allocated once is there
  const std::vector<int32_t> ids(200000, 5);
  std::vector<int32_t> offsets;
  for (int i = 0; i <= 200000; i += kTinyWindow) offsets.push_back(i);

  // No room beyond what is mapped now and the padded ids: the 25 MB of the first hidden state cannot be had.
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit tight = {static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + (8 << 20)), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  const absl::Status status = backend->Run({ids, offsets, {}}).status();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);

  ExpectError(status, absl::StatusCode::kResourceExhausted, "LibTorch: ");
  ExpectGolden(*backend, Golden("tiny_bert"));
}

// --- Taps ---

TEST_F(TorchBackendTest, ShowsItsHiddenStatesInOrderAndTheSameLogits) {
  const auto package = MakePackage();
  const auto backend = Open(package);
  const GoldenBatch batch(Golden("tiny_bert"));
  const auto logits = backend->Run(batch.view());
  std::vector<TapRecord> taps;
  const auto traced = Trace(*backend, batch.view(), taps);
  ASSERT_TRUE(traced.ok()) << traced.status();
  EXPECT_EQ(traced->values, logits->values);

  const EncoderSpec& encoder = package->manifest().spec.encoder;
  ASSERT_EQ(taps.size(), static_cast<size_t>(encoder.layers) + 1);
  for (size_t i = 0; i < taps.size(); ++i) {
    EXPECT_EQ(taps[i].tap, i == 0 ? "embeddings" : "layer." + std::to_string(i - 1));
    EXPECT_EQ(taps[i].width, encoder.hidden_size);
    EXPECT_EQ(taps[i].hidden.size(), batch.view().input_ids.size() * encoder.hidden_size) << taps[i].tap;
  }
}

// The rows of a sequence lie at its tokens, whichever rectangle it ran in.
TEST_F(TorchBackendTest, ShowsEachSequencesStatesInItsPlace) {
  const auto backend = Open(MakePackage());
  const std::vector<GoldenCase> golden = Golden("tiny_bert");
  const GoldenBatch batch(golden);
  std::vector<TapRecord> together;
  ASSERT_TRUE(Trace(*backend, batch.view(), together).ok());
  for (size_t i = 0; i < golden.size(); ++i) {
    std::vector<TapRecord> alone;
    const GoldenBatch single({golden[i]});
    ASSERT_TRUE(Trace(*backend, single.view(), alone).ok());
    const size_t first = static_cast<size_t>(batch.view().offsets[i]) * alone[0].width;
    for (size_t tap = 0; tap < alone.size(); ++tap) {
      for (size_t j = 0; j < alone[tap].hidden.size(); ++j) {
        ASSERT_NEAR(together[tap].hidden[first + j], alone[tap].hidden[j], 1e-5) << "sequence " << i << ", tap " << tap;
      }
    }
  }
}

// --- Files ---

TEST_F(TorchBackendTest, NamesMissingWeights) {
  const auto package = MakePackage();
  fs::remove(directory_ / kWeightsFile);
  ExpectError(OpenGroup(package, {}, 1).status(), absl::StatusCode::kNotFound, directory_.string());
}

TEST_F(TorchBackendTest, NamesDamagedWeights) {
  const auto package = MakePackage();
  fs::resize_file(directory_ / kWeightsFile, 1000);
  ExpectError(OpenGroup(package, {}, 1).status(), absl::StatusCode::kDataLoss, kWeightsFile);
}

TEST_F(TorchBackendTest, NamesWeightsOfAnotherModel) {
  const auto package = MakePackage(Architecture::kBert);
  const fs::path other = scratch_ / "other";
  ASSERT_TRUE(WriteTinyCheckpoint(other, {.architecture = Architecture::kDistilBert}).ok());
  fs::copy_file(other / "model.safetensors", directory_ / kWeightsFile, fs::copy_options::overwrite_existing);
  ExpectError(OpenGroup(package, {}, 1).status(), absl::StatusCode::kDataLoss,
              "tensor bert.embeddings.word_embeddings.weight is missing");
}

TEST_F(TorchBackendTest, ReportsLogitsThatAreNotNumbers) {
  const auto package = MakePackage();
  const GoldenBatch batch(Golden("tiny_bert"));
  // The classifier's bias is the last tensor.
  const fs::path weights = directory_ / kWeightsFile;
  std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  file.seekp(static_cast<std::streamoff>(fs::file_size(weights) - sizeof(nan)));
  file.write(reinterpret_cast<const char*>(&nan), sizeof(nan));
  file.close();
  ExpectError(Open(package)->Run(batch.view()).status(), absl::StatusCode::kInternal, "are not numbers");
}

TEST_F(TorchBackendTest, RunsBehindALinkThatMovesOn) {
  MakePackage();
  fs::create_directory_symlink(directory_, scratch_ / "link");
  const auto package = Package::Open(scratch_ / "link");
  ASSERT_TRUE(package.ok()) << package.status();
  fs::remove(scratch_ / "link");
  ExpectGolden(*Open(*package), Golden("tiny_bert"));
}

TEST(TorchPlugin, SaysItsVersion) {
  const absl::StatusOr<TorchPlugin> plugin = OpenTorchPlugin(KS_TORCH_PLUGIN);
  ASSERT_TRUE(plugin.ok()) << plugin.status();
  EXPECT_EQ(std::ranges::count(std::string(plugin->version()), '.'), 2);
}

}  // namespace
}  // namespace ks
