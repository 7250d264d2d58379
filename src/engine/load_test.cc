#include "engine/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "base/cpu.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/testing/temp_directory.h"
#include "engine/self_check.h"
#include "engine/testing/tiny_model.h"
#include "package/writer.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<float> LogitsOf(const std::string& text) { return ExpectedLogits(*TinyModel(), text); }

// A real package around the tiny tokeniser; what a backend would read is empty.
class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    directory_ = temp_ / "package";
    manifest_.self_checks = {{TinyText(3, 1), LogitsOf(TinyText(3, 1))}, {TinyText(9, 2), LogitsOf(TinyText(9, 2))}};
  }

  void WritePackage() {
    StagingOptions staging;
    staging.replace = true;
    absl::StatusOr<PackageWriter> writer = PackageWriter::Create(directory_, staging);
    ASSERT_TRUE(writer.ok()) << writer.status();
    const std::span<const std::byte> bytes = std::as_bytes(std::span(tokenizer_bin_));
    const bool int8 = !more_files_.empty();
    for (const char* name : {kTokenizerJsonFile, kTokenizerBinFile}) ASSERT_TRUE(writer->AddFile(name, bytes).ok());
    for (const char* name : {kWeightsFile, kFp32GraphFile}) ASSERT_TRUE(writer->AddFile(name, bytes, int8).ok());
    for (const char* name : more_files_) ASSERT_TRUE(writer->AddFile(name, bytes).ok());
    ASSERT_TRUE(writer->Finish(manifest_).ok());
    ASSERT_TRUE(writer->Publish().ok());
  }

  absl::StatusOr<LoadedModel> Load(const LoadOptions& options = {.threads = 2}) {
    return LoadModel(directory_, options, open_);
  }

  void ExpectError(absl::StatusCode code, const std::string& message, const LoadOptions& options = {.threads = 2}) {
    const absl::Status status = Load(options).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.string())) << "which package?";
  }

  const TempDirectory temp_;
  std::filesystem::path directory_;
  Manifest manifest_ = TinyManifest();
  std::string tokenizer_bin_ = Tokenizer::FromJson(WordTokenizerJson(), "tokenizer.json")->Compile();
  std::vector<const char*> more_files_;
  FakeBackend::Hook hook_;
  BackendPlan plan_;
  const BackendOpener open_ = [this](std::shared_ptr<const Package> package, const BackendPlan& plan) {
    EXPECT_EQ(package->manifest().name, "tiny");
    plan_ = plan;
    std::vector<std::unique_ptr<Backend>> backends;
    BackendFacts facts = FakeFacts();
    facts.precision = plan.precision;
    facts.threads = plan.threads_per_worker;
    for (int i = 0; i < plan.workers; ++i) backends.push_back(std::make_unique<FakeBackend>(facts, hook_));
    return backends;
  };
};

TEST_F(LoadTest, GivesAModelThatAnswersAsItsPackageSays) {
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded = Load({.backend = "onnx", .precision = "fp32", .threads = 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->model->manifest().name, "tiny");
  EXPECT_EQ(loaded->model->package()->directory().filename(), directory_.filename());
  ASSERT_THAT(loaded->model->groups(), SizeIs(1));
  EXPECT_EQ(loaded->model->groups()[0].name, "onnx");
  EXPECT_THAT(loaded->model->groups()[0].workers, SizeIs(3));
  EXPECT_EQ(plan_.threads_per_worker, 1);
  EXPECT_EQ(plan_.max_tokens, 512);
  EXPECT_EQ(plan_.precision, "fp32");
  EXPECT_GT(loaded->load_time, Duration(0));
  EXPECT_THAT(ExpectedLogits(*loaded->model, TinyText(4)), ::testing::ElementsAreArray(LogitsOf(TinyText(4))));
}

TEST_F(LoadTest, UsesTheCoresThatThereAre) {
  WritePackage();
  ASSERT_TRUE(Load({.threads = 0}).ok());
  EXPECT_EQ(plan_.workers, EffectiveCores());
}

TEST_F(LoadTest, RefusesThreadsThatNoMachineHas) {
  WritePackage();
  for (const int threads : {-1, 100'000}) {
    const absl::Status status = Load({.threads = threads}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(Cat("to 4096, found ", threads)));
  }
}

TEST_F(LoadTest, SaysWhichPackageIsMissing) { ExpectError(absl::StatusCode::kNotFound, "No such file"); }

TEST_F(LoadTest, RefusesADamagedTokenizer) {
  tokenizer_bin_.resize(tokenizer_bin_.size() / 2);
  WritePackage();
  ExpectError(absl::StatusCode::kDataLoss, "/tokenizer.bin: ");
}

TEST_F(LoadTest, RefusesATokenizerWithMoreTokensThanTheModel) {
  manifest_.spec.encoder.vocab_size = 103;
  WritePackage();
  ExpectError(absl::StatusCode::kDataLoss, "/tokenizer.bin: expected at most 103 tokens as the model has, found 104");
}

TEST_F(LoadTest, RefusesAModelThatSaysSomethingElse) {
  manifest_.self_checks[1].fp32_logits[2] += 0.5f;
  WritePackage();
  ExpectError(absl::StatusCode::kDataLoss, "self-check text 2 of 2: expected logits [");
  ExpectError(absl::StatusCode::kDataLoss, "off by 0.5, allowed is 0.00");
}

// A package of both precisions; the fake backend says the same in either.
class LoadInt8Test : public LoadTest {
 protected:
  LoadInt8Test() {
    manifest_.precisions = {"fp32", "int8"};
    for (SelfCheck& check : manifest_.self_checks) check.int8_logits = check.fp32_logits;
    more_files_ = {kInt8WeightsFile, kInt8GraphFile};
  }
};

TEST_F(LoadInt8Test, TakesInt8WhereThePackageHasItUnlessToldOtherwise) {
  WritePackage();
  absl::StatusOr<LoadedModel> loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->plan.precision, "int8");
  EXPECT_EQ(loaded->groups.front().precision_reason, "default");
  loaded = Load({.precision = "fp32"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->plan.precision, "fp32");
  EXPECT_EQ(loaded->groups.front().precision_reason, "configured");
}

TEST_F(LoadInt8Test, RefusesInt8ThatIsOffByOneBit) {
  float& logit = manifest_.self_checks[1].int8_logits[0];
  logit = std::nextafter(logit, 100.0f);
  WritePackage();
  ExpectError(absl::StatusCode::kDataLoss, "self-check text 2 of 2: expected logits [");
  ExpectError(absl::StatusCode::kDataLoss, "allowed is 0");
  EXPECT_TRUE(Load({.precision = "fp32"}).ok());
}

TEST_F(LoadInt8Test, FallsBackToFp32WhereAskedToAndSaysWhy) {
  manifest_.self_checks[0].int8_logits[1] += 1;
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded = Load({.fall_back = true});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->plan.precision, "fp32");
  EXPECT_EQ(loaded->groups.front().precision_reason, "int8_self_check_failed");
  EXPECT_THAT(std::string(loaded->groups.front().int8_failure.message()), HasSubstr("self-check text 1 of 2"));
}

TEST_F(LoadInt8Test, HasNothingToFallBackToWithoutFp32) {
  manifest_.self_checks[0].int8_logits[1] += 1;
  WritePackage();
  std::filesystem::remove(directory_ / kFp32GraphFile);
  ExpectError(absl::StatusCode::kDataLoss, "self-check text 1 of 2", {.fall_back = true});
  ExpectError(absl::StatusCode::kFailedPrecondition, "no precision fp32, it has int8", {.precision = "fp32"});
}

TEST_F(LoadTest, OpensAGroupForEachBackendTheDefaultFirst) {
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded =
      Load({.backend = "pytorch", .more_backends = {"onnx", "pytorch", "onnx"}, .threads = 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(loaded->model->groups(), SizeIs(2));
  ASSERT_THAT(loaded->groups, SizeIs(2));
  for (size_t g = 0; g < 2; ++g) {
    const BackendGroup& group = loaded->model->groups()[g];
    EXPECT_EQ(group.name, g == 0 ? "pytorch" : "onnx");
    EXPECT_THAT(group.workers, SizeIs(3));
    EXPECT_EQ(group.shadow, nullptr);
    EXPECT_EQ(loaded->groups[g].plan.backend, group.name);
    EXPECT_GT(loaded->groups[g].load_time, Duration(0));
  }
  EXPECT_EQ(loaded->plan.backend, "pytorch");
}

TEST_F(LoadTest, OpensOneObjectForTheShadowAlone) {
  WritePackage();
  absl::StatusOr<LoadedModel> loaded = Load({.shadow_backend = "pytorch", .threads = 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(loaded->model->groups(), SizeIs(2));
  EXPECT_EQ(loaded->model->groups()[1].name, "pytorch");
  EXPECT_THAT(loaded->model->groups()[1].workers, SizeIs(0));
  EXPECT_NE(loaded->model->groups()[1].shadow, nullptr);
  EXPECT_EQ(loaded->groups[1].plan.workers, 0);

  // Where it answers as well, the shadow's object is opened apart from those that do.
  loaded = Load({.more_backends = {"pytorch"}, .shadow_backend = "pytorch", .threads = 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(loaded->model->groups(), SizeIs(2));
  EXPECT_THAT(loaded->model->groups()[1].workers, SizeIs(3));
  EXPECT_NE(loaded->model->groups()[1].shadow, nullptr);
  EXPECT_EQ(plan_.workers, 1);
}

TEST_F(LoadInt8Test, GivesPrecisionToOnnxAlone) {
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded =
      Load({.backend = "pytorch", .shadow_backend = "onnx", .precision = "int8", .isa = "scalar"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->groups[0].plan.precision, "fp32");
  EXPECT_EQ(loaded->groups[0].precision_reason, "default");
  EXPECT_EQ(loaded->groups[1].plan.precision, "int8");
  EXPECT_EQ(loaded->groups[1].precision_reason, "configured");
  EXPECT_EQ(loaded->model->groups()[1].shadow->facts().precision, "int8");
  EXPECT_EQ(plan_.isa, "scalar");
}

TEST_F(LoadInt8Test, OpensOneBackendMoreForAllCores) {
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded = Load({.threads = 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const absl::StatusOr<std::unique_ptr<Backend>> wide = OpenWide(*loaded, 0, open_);
  ASSERT_TRUE(wide.ok()) << wide.status();
  EXPECT_EQ((*wide)->facts().threads, 3);
  EXPECT_EQ((*wide)->facts().precision, "int8");
  EXPECT_EQ(plan_.workers, 1);
}

TEST_F(LoadInt8Test, OpensNoneForAllCoresWhereItWouldGainNothingOrCostAnotherCopy) {
  WritePackage();
  for (const LoadOptions& options : {LoadOptions{.threads = 1}, LoadOptions{.precision = "fp32", .threads = 2},
                                     LoadOptions{.backend = "pytorch", .threads = 2}}) {
    const absl::StatusOr<LoadedModel> loaded = Load(options);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const absl::StatusOr<std::unique_ptr<Backend>> wide = OpenWide(*loaded, 0, open_);
    ASSERT_TRUE(wide.ok()) << wide.status();
    EXPECT_EQ(*wide, nullptr);
  }
}

TEST_F(LoadInt8Test, ChecksTheBackendForAllCoresToo) {
  WritePackage();
  const absl::StatusOr<LoadedModel> loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  hook_ = [](const PackedBatch&) { return absl::ResourceExhaustedError("no memory"); };
  const absl::Status status = OpenWide(*loaded, 0, open_).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("on 2 cores: self-check text 1 of 2: no memory"));
}

TEST_F(LoadTest, PassesOnWhyABackendFailed) {
  WritePackage();
  hook_ = [](const PackedBatch&) { return absl::ResourceExhaustedError("no memory"); };
  ExpectError(absl::StatusCode::kResourceExhausted, "self-check text 1 of 2: no memory");
}

// The check itself, nearer by.
class SelfCheckTest : public ::testing::Test {
 protected:
  absl::Status Run() { return RunSelfCheck(manifest_, TinyModel()->tokenizer(), workers_); }

  SelfCheckTest() { AddWorker(); }

  void AddWorker(FakeBackend::Hook hook = nullptr) {
    workers_.push_back(std::make_unique<FakeBackend>(FakeFacts(), std::move(hook)));
  }
  void AddText(const std::string& text) { manifest_.self_checks.push_back({text, LogitsOf(text)}); }

  Manifest manifest_ = TinyManifest();
  std::vector<std::unique_ptr<Backend>> workers_;
};

TEST_F(SelfCheckTest, SharesTheTextsAmongTheWorkersTheLongestFirst) {
  // The long text holds its worker until the other one has done all the rest.
  Mutex mutex;
  CondVar changed;
  std::vector<int> done;  // tokens of the texts
  workers_.clear();
  for (int w = 0; w < 3; ++w) {
    AddWorker([&](const PackedBatch& batch) {
      MutexLock lock(mutex);
      while (batch.tokens() == 22 && done.size() < 3) changed.Wait(mutex);
      done.push_back(batch.tokens());
      changed.NotifyAll();
      return absl::OkStatus();
    });
  }
  for (const int words : {1, 2, 20, 3}) AddText(TinyText(words));
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(done, SizeIs(4));
  EXPECT_EQ(done.back(), 22);
}

TEST_F(SelfCheckTest, NamesTheFirstTextThatIsWrong) {
  AddWorker();
  for (const int words : {1, 2, 20, 3}) AddText(TinyText(words));
  manifest_.self_checks[1].fp32_logits[0] += 1;
  manifest_.self_checks[2].fp32_logits[0] += 1;
  EXPECT_THAT(std::string(Run().message()), HasSubstr("self-check text 2 of 4: expected logits"));
}

TEST_F(SelfCheckTest, AllowsAThousandthOfTheLargestLogit) {
  const std::vector<float> logits = LogitsOf("w1");
  float largest = 0;
  for (const float logit : logits) largest = std::max(largest, std::abs(logit));
  for (const float factor : {-0.9f, 0.9f}) {
    manifest_.self_checks = {{"w1", logits}};
    manifest_.self_checks[0].fp32_logits[1] += factor * kSelfCheckTolerance * largest;
    EXPECT_TRUE(Run().ok()) << factor;
  }
  for (const float factor : {-1.2f, 1.2f}) {
    manifest_.self_checks = {{"w1", logits}};
    manifest_.self_checks[0].fp32_logits[1] += factor * kSelfCheckTolerance * largest;
    EXPECT_EQ(Run().code(), absl::StatusCode::kDataLoss) << factor;
  }
}

TEST_F(SelfCheckTest, RefusesLogitsThatAreNoNumbers) {
  manifest_.self_checks = {{"w1", LogitsOf("w1")}};
  manifest_.self_checks[0].fp32_logits[1] = std::nanf("");
  EXPECT_EQ(Run().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SelfCheckTest, RefusesAManifestThatContradictsItself) {
  manifest_.self_checks = {{"w1", {1, 2}}};
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("text 1 of 1: the manifest has 2 logits for 3 labels"));
}

TEST_F(SelfCheckTest, CutsATextToTheWindowAsConvertDid) {
  manifest_.self_checks = {{TinyText(100), LogitsOf(TinyText(62))}};
  EXPECT_TRUE(Run().ok());
}

}  // namespace
}  // namespace ks
