#include "backend/onnx/onnx_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "backend/onnx/testing/backend_expectations.h"
#include "backend/onnx/testing/serving_directory.h"
#include "backend/onnx/testing/tiny_package.h"
#include "base/mapped_file.h"
#include "base/thread.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kTinyWindow = 40;
constexpr double kBatchTolerance = 1e-6;

const fs::path kDefaultModel = fs::path(KS_SOURCE_DIR) / "models" / "default";

std::vector<GoldenCase> Golden(std::string_view model) {
  const absl::StatusOr<std::vector<GoldenCase>> cases = ReadGolden(KS_SOURCE_DIR, model);
  EXPECT_TRUE(cases.ok()) << cases.status();
  return cases.value_or(std::vector<GoldenCase>());
}

ServingDirectory MakeDirectory(const fs::path& checkpoint) {
  absl::StatusOr<ServingDirectory> made = ServingDirectory::Make(checkpoint);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

ServingDirectory MakeTiny(Architecture architecture = Architecture::kBert) {
  std::string scratch = (fs::temp_directory_path() / "ks_tiny_XXXXXX").string();
  EXPECT_NE(mkdtemp(scratch.data()), nullptr);
  const absl::Status written = WriteTinyCheckpoint(scratch, {.architecture = architecture});
  EXPECT_TRUE(written.ok()) << written;
  ServingDirectory made = MakeDirectory(scratch);
  fs::remove_all(scratch);
  return made;
}

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenGroup(const ServingDirectory& directory, int window,
                                                                int threads, int count) {
  return OnnxBackend::OpenGraph(directory.graph(), directory.spec(), window, {.threads = threads, .max_tokens = 512},
                                count);
}

std::unique_ptr<Backend> First(absl::StatusOr<std::vector<std::unique_ptr<Backend>>> group) {
  EXPECT_TRUE(group.ok()) << group.status();
  return group.ok() ? std::move(group->front()) : nullptr;
}

std::unique_ptr<Backend> Open(const ServingDirectory& directory, int window = kTinyWindow, int threads = 1) {
  return First(OpenGroup(directory, window, threads, 1));
}

TEST(OnnxBackend, GivesPyTorchsLogitsForTheDefaultModel) {
  const ServingDirectory directory = MakeDirectory(kDefaultModel);
  ExpectGolden(*Open(directory, 256), Golden("default"));
  ExpectGolden(*Open(directory, 256, /*threads=*/2), Golden("default"));
  ExpectGolden(*First(OnnxBackend::OpenGraph(directory.graph(), directory.spec(), 256, {.prepack = false}, 1)),
               Golden("default"));
}

TEST(OnnxBackend, GivesPyTorchsLogitsForBertAndDistilBert) {
  ExpectGolden(*Open(MakeTiny(Architecture::kBert)), Golden("tiny_bert"));
  ExpectGolden(*Open(MakeTiny(Architecture::kDistilBert)), Golden("tiny_distilbert"));
}

TEST(OnnxBackend, GivesPyTorchsLogitsOnEveryInstructionSet) {
  const ServingDirectory directory = MakeTiny();
  for (const IsaLevel isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    ExpectGolden(*First(OnnxBackend::OpenGraph(directory.graph(), directory.spec(), kTinyWindow, {.isa = isa}, 1)),
                 Golden("tiny_bert"));
  }
}

TEST(OnnxBackend, RefusesAnInstructionSetThatTheCpuLacks) {
  const ServingDirectory directory = MakeTiny();
  const auto lacking = static_cast<IsaLevel>(99);  // no CPU has it
  const auto group = OnnxBackend::OpenGraph(directory.graph(), directory.spec(), kTinyWindow, {.isa = lacking}, 1);
  ExpectError(group.status(), absl::StatusCode::kInvalidArgument, "expected one that this CPU has: scalar");
}

TEST(OnnxBackend, GivesABatchWhatItGivesOneByOne) {
  ExpectBatchesToMatchSingles(*Open(MakeTiny(Architecture::kBert)), Golden("tiny_bert"), kBatchTolerance);
  ExpectBatchesToMatchSingles(*Open(MakeTiny(Architecture::kDistilBert)), Golden("tiny_distilbert"), kBatchTolerance);
  ExpectBatchesToMatchSingles(*Open(MakeDirectory(kDefaultModel), 256), Golden("default"), kBatchTolerance);
}

TEST(OnnxBackend, TakesMissingTokenTypesAsZeros) {
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory);
  const std::vector<GoldenCase> golden = Golden("tiny_bert");
  const GoldenBatch batch({golden[2], golden[3]});
  const absl::StatusOr<Logits> with = backend->Run(batch.view());
  const absl::StatusOr<Logits> without = backend->Run(batch.without_types());
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_EQ(with->values, without->values);
}

TEST(OnnxBackend, StatesItsFacts) {
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory, 30, 2);
  const BackendFacts& facts = backend->facts();
  EXPECT_EQ(facts.name, "onnx");
  EXPECT_EQ(facts.precision, "fp32");
  EXPECT_EQ(facts.max_tokens, 512);
  EXPECT_EQ(facts.max_tokens_per_sequence, 30);
  EXPECT_EQ(facts.classes, 3);
  EXPECT_EQ(facts.threads, 2);
  EXPECT_FALSE(facts.pads);
}

TEST(OnnxBackend, RefusesBatchesOutsideItsFacts) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory);
  const std::vector<int32_t> ids(41, 5);
  const std::vector<int32_t> many(513, 5);
  const auto run = [&backend](std::span<const int32_t> batch_ids, std::vector<int32_t> offsets,
                              std::vector<int32_t> types = {}) {
    return backend->Run({batch_ids, offsets, types}).status();
  };
  ExpectError(run(many, {0, 513}), kInvalid, "T = 513 tokens, expected 1 to 512");
  ExpectError(run(ids, {0, 41}), kInvalid, "sequence 0 has 41 tokens, expected 1 to 40");
  ExpectError(run(ids, {0, 40}), kInvalid, "offsets[B] is 40, expected T = 41");
  ExpectError(run(std::vector<int32_t>{5, 9999}, {0, 2}), kInvalid, "id at token 1 lies outside the vocabulary");
  ExpectError(run(std::vector<int32_t>{5, 6}, {0, 2}, {0, 2}), kInvalid, "token type at token 1 is 2, expected 0 to 1");
  EXPECT_TRUE(run(std::vector<int32_t>{5, 6}, {0, 2}, {0, 1}).ok());
}

TEST(OnnxBackend, RefusesTokenTypesOfAModelWithout) {
  const ServingDirectory directory = MakeTiny(Architecture::kDistilBert);
  const auto backend = Open(directory);
  const std::vector<int32_t> ids = {5, 6}, offsets = {0, 2}, zeros = {0, 0}, ones = {0, 1};
  EXPECT_TRUE(backend->Run({ids, offsets, zeros}).ok());
  ExpectError(backend->Run({ids, offsets, ones}).status(), absl::StatusCode::kInvalidArgument,
              "token type at token 1 is 1, expected 0 to 0");
}

TEST(OnnxBackend, RefusesOptionsOutOfRange) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const ServingDirectory directory = MakeTiny();
  const auto open = [&directory](OnnxOptions options, int count) {
    return OnnxBackend::OpenGraph(directory.graph(), directory.spec(), kTinyWindow, options, count).status();
  };
  ExpectError(open({.threads = 0}, 1), kInvalid, "threads is 0, expected 1 or more");
  ExpectError(open({.max_tokens = 39}, 1), kInvalid, "max_tokens is 39, expected at least the model's window of 40");
  ExpectError(open({}, 0), kInvalid, "a group of 0 backends");
}

TEST(OnnxBackend, GroupsAnswerOnManyThreadsAtATime) {
  const ServingDirectory directory = MakeTiny();
  for (const int threads : {1, 2}) {
    auto group = OpenGroup(directory, kTinyWindow, threads, 3);
    ASSERT_TRUE(group.ok()) << group.status();
    std::vector<std::unique_ptr<Thread>> running;
    for (const std::unique_ptr<Backend>& backend : *group) {
      running.push_back(std::make_unique<Thread>("caller", [&backend] {
        for (int i = 0; i < 20; ++i) ExpectGolden(*backend, Golden("tiny_bert"));
      }));
    }
  }
}

#if !defined(__clang__)  // the sanitizers of the clang lanes need more address space than a limit leaves
TEST(OnnxBackend, ReportsMemoryThatRanOutAndWorksAgain) {
  const ServingDirectory directory = MakeTiny();
  const auto backend =
      First(OnnxBackend::OpenGraph(directory.graph(), directory.spec(), kTinyWindow, {.max_tokens = 200000}, 1));
  const std::vector<int32_t> ids(200000, 5);
  std::vector<int32_t> offsets;
  for (int i = 0; i <= 200000; i += kTinyWindow) offsets.push_back(i);

  // No room beyond what is mapped now: the 25 MB of the first hidden state cannot be had.
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit tight = {static_cast<rlim_t>(pages) * sysconf(_SC_PAGESIZE), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  const absl::Status status = backend->Run({ids, offsets, {}}).status();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);

  ExpectError(status, absl::StatusCode::kResourceExhausted, "Failed to allocate memory");
  ExpectGolden(*backend, Golden("tiny_bert"));
}
#endif

// --- Taps ---

TEST(OnnxBackend, ShowsItsHiddenStatesInOrderAndTheSameLogits) {
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory);
  const GoldenBatch batch(Golden("tiny_bert"));
  const auto logits = backend->Run(batch.view());
  for (int call = 0; call < 2; ++call) {
    std::vector<TapRecord> taps;
    const auto traced = Trace(*backend, batch.view(), taps);
    ASSERT_TRUE(traced.ok()) << traced.status();
    EXPECT_EQ(traced->values, logits->values);

    const EncoderSpec& encoder = directory.spec().encoder;
    ASSERT_EQ(taps.size(), static_cast<size_t>(encoder.layers) + 1);
    EXPECT_EQ(taps[0].tap, "embeddings");
    for (size_t i = 0; i < taps.size(); ++i) {
      if (i > 0) {
        EXPECT_EQ(taps[i].tap, "layer." + std::to_string(i - 1));
      }
      EXPECT_EQ(taps[i].width, encoder.hidden_size);
      const int rows = i + 1 < taps.size() ? batch.view().tokens() : batch.view().sequences();
      EXPECT_EQ(taps[i].hidden.size(), static_cast<size_t>(rows) * encoder.hidden_size) << taps[i].tap;
    }
  }
}

// The word embedding of one token decides that token's rows alone up to the first attention.
TEST(OnnxBackend, ShowsEachTokensOwnEmbedding) {
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory);
  const std::vector<int32_t> ids = {2, 7, 8, 3}, others = {2, 7, 9, 3}, offsets = {0, 4};
  std::vector<TapRecord> taps, other_taps;
  ASSERT_TRUE(Trace(*backend, {ids, offsets, {}}, taps).ok());
  ASSERT_TRUE(Trace(*backend, {others, offsets, {}}, other_taps).ok());
  const auto width = static_cast<size_t>(taps[0].width);
  for (size_t t = 0; t < 4; ++t) {
    const auto row = [&](const std::vector<TapRecord>& of) {
      return std::vector<float>(of[0].hidden.begin() + t * width, of[0].hidden.begin() + (t + 1) * width);
    };
    EXPECT_EQ(row(taps) == row(other_taps), t != 2) << "token " << t;
  }
  EXPECT_NE(taps[1].hidden, other_taps[1].hidden);
}

TEST(OnnxBackend, NamesTheGraphThatCannotBeTraced) {
  const ServingDirectory directory = MakeTiny();
  const auto backend = Open(directory);
  const GoldenBatch batch(Golden("tiny_bert"));
  std::ofstream(directory.graph()) << "overwritten";
  std::vector<TapRecord> taps;
  ExpectError(Trace(*backend, batch.view(), taps).status(), absl::StatusCode::kDataLoss, kTestGraphFile);
  EXPECT_TRUE(taps.empty());
  ExpectGolden(*backend, Golden("tiny_bert"));
}

// --- Files ---

TEST(OnnxBackend, NamesAGraphThatIsNotThere) {
  const ServingDirectory directory = MakeTiny();
  fs::remove(directory.graph());
  ExpectError(OpenGroup(directory, kTinyWindow, 1, 1).status(), absl::StatusCode::kNotFound, kTestGraphFile);
}

TEST(OnnxBackend, NamesADamagedGraph) {
  const ServingDirectory directory = MakeTiny();
  std::ofstream(directory.graph()) << "this is no graph";
  ExpectError(OpenGroup(directory, kTinyWindow, 1, 1).status(), absl::StatusCode::kDataLoss, kTestGraphFile);
}

TEST(OnnxBackend, SaysThatAnOperatorOfAnotherVersionIsToBeConvertedAgain) {
  const ServingDirectory directory = MakeTiny();
  std::string graph = *ReadFile(directory.graph(), 1 << 20);
  const size_t op = graph.find("FirstTokens");
  ASSERT_NE(op, std::string::npos);
  graph.replace(op, 5, "Final");
  std::ofstream(directory.graph(), std::ios::binary) << graph;
  const absl::Status status = OpenGroup(directory, kTinyWindow, 1, 1).status();
  ExpectError(status, absl::StatusCode::kDataLoss, kTestGraphFile);
  EXPECT_THAT(std::string(status.message()), HasSubstr("FinalTokens"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("made by another version of this program, to be converted again"));
}

TEST(OnnxBackend, NamesATruncatedGraph) {
  const ServingDirectory directory = MakeTiny();
  fs::resize_file(directory.graph(), fs::file_size(directory.graph()) / 2);
  ExpectError(OpenGroup(directory, kTinyWindow, 1, 1).status(), absl::StatusCode::kDataLoss, kTestGraphFile);
}

TEST(OnnxBackend, NamesAnEmptyGraph) {
  const ServingDirectory directory = MakeTiny();
  fs::resize_file(directory.graph(), 0);
  ExpectError(OpenGroup(directory, kTinyWindow, 1, 1).status(), absl::StatusCode::kDataLoss, kTestGraphFile);
}

TEST(OnnxBackend, NamesMissingWeights) {
  const ServingDirectory directory = MakeTiny();
  fs::remove(directory.path() / kTestWeightsFile);
  ExpectError(OpenGroup(directory, kTinyWindow, 1, 1).status(), absl::StatusCode::kDataLoss, kTestWeightsFile);
}

TEST(OnnxBackend, NamesATensorOutsideTruncatedWeights) {
  const ServingDirectory directory = MakeTiny();
  fs::resize_file(directory.path() / kTestWeightsFile, 1000);
  const absl::Status status = OpenGroup(directory, kTinyWindow, 1, 1).status();
  ExpectError(status, absl::StatusCode::kDataLoss, directory.path().string());
  ExpectError(status, absl::StatusCode::kDataLoss, "word_embeddings.weight");
}

TEST(OnnxBackend, SaysWhichInputsAnotherModelsGraphHas) {
  const ServingDirectory directory = MakeTiny(Architecture::kDistilBert);
  ClassifierSpec bert = directory.spec();
  bert.encoder.type_vocab_size = 2;
  const auto group = OnnxBackend::OpenGraph(directory.graph(), bert, kTinyWindow, {}, 1);
  ExpectError(group.status(), absl::StatusCode::kDataLoss,
              "inputs are input_ids, offsets, expected input_ids, offsets, token_type_ids");
  ExpectError(group.status(), absl::StatusCode::kDataLoss, kTestGraphFile);
}

TEST(OnnxBackend, ReportsLogitsOfAnotherShape) {
  const GoldenBatch batch(Golden("tiny_bert"));
  const ServingDirectory directory = MakeTiny();
  ClassifierSpec spec = directory.spec();
  spec.labels.push_back("MIXED");
  auto group = OnnxBackend::OpenGraph(directory.graph(), spec, kTinyWindow, {}, 1);
  ASSERT_TRUE(group.ok()) << group.status();
  ExpectError(group->front()->Run(batch.view()).status(), absl::StatusCode::kInternal,
              "logits of shape [7, 3], expected [7, 4]");
}

TEST(OnnxBackend, ReportsLogitsThatAreNotNumbers) {
  const GoldenBatch batch(Golden("tiny_bert"));
  const ServingDirectory directory = MakeTiny();
  // The classifier's bias is the last tensor.
  const fs::path weights = directory.path() / kTestWeightsFile;
  std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  file.seekp(static_cast<std::streamoff>(fs::file_size(weights) - sizeof(nan)));
  file.write(reinterpret_cast<const char*>(&nan), sizeof(nan));
  file.close();
  ExpectError(Open(directory)->Run(batch.view()).status(), absl::StatusCode::kInternal,
              "logits of sequence 0 are not numbers");
}

TEST(OnnxBackend, RunsReadOnlyBehindASymbolicLink) {
  const ServingDirectory directory = MakeTiny();
  const fs::path link = directory.path().string() + "_link";
  fs::create_directory_symlink(directory.path(), link);
  for (const char* file : {kTestGraphFile, kTestWeightsFile}) {
    fs::permissions(directory.path() / file, fs::perms::owner_read);
  }
  fs::permissions(directory.path(), fs::perms::owner_read | fs::perms::owner_exec);
  auto group = OnnxBackend::OpenGraph(link / kTestGraphFile, directory.spec(), kTinyWindow, {}, 1);
  fs::remove(link);
  fs::permissions(directory.path(), fs::perms::owner_all);
  ASSERT_TRUE(group.ok()) << group.status();
  ExpectGolden(*group->front(), Golden("tiny_bert"));
}

// --- Packages ---

class OnnxBackendOnPackage : public ::testing::Test {
 protected:
  std::shared_ptr<const Package> OpenPackage(const fs::path& path) {
    const auto package = Package::Open(path);
    EXPECT_TRUE(package.ok()) << package.status();
    return package.ok() ? *package : nullptr;
  }

  const TinyPackage converted_;
};

TEST_F(OnnxBackendOnPackage, RunsBehindALinkThatMovesOn) {
  fs::create_directory_symlink(converted_.path(), converted_.beside("link"));
  const std::shared_ptr<const Package> package = OpenPackage(converted_.beside("link"));
  fs::remove(converted_.beside("link"));
  const auto backend = OnnxBackend::Open(package, {});
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_EQ((*backend)->facts().max_tokens_per_sequence, kTinyWindow);
  ExpectGolden(**backend, Golden("tiny_bert"));
}

TEST_F(OnnxBackendOnPackage, NamesAPrecisionThatThePackageLacks) {
  const auto backend = OnnxBackend::Open(OpenPackage(converted_.path()), {.precision = "int4"});
  ExpectError(backend.status(), absl::StatusCode::kFailedPrecondition, "no precision int4, it has fp32");
}

TEST_F(OnnxBackendOnPackage, NamesThePackagesFileThatIsDamaged) {
  const std::shared_ptr<const Package> package = OpenPackage(converted_.path());
  std::ofstream(converted_.path() / kFp32GraphFile) << "overwritten";
  ExpectError(OnnxBackend::Open(package, {}).status(), absl::StatusCode::kDataLoss, "package/fp32.onnx");
}

TEST(OnnxRuntimeVersion, HasThreeNumbers) { EXPECT_EQ(std::ranges::count(OnnxRuntimeVersion(), '.'), 2); }

}  // namespace
}  // namespace ks
