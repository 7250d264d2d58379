#include "measure/short_gate.h"

#include <span>

#include "backend/fake/fake_backend.h"
#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"
#include "engine/testing/tiny_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "package/writer.h"

namespace ks {
namespace {
using testing::HasSubstr;
using testing::Not;

// FakeBackend with the first logit of every text but the self-checks moved: a side that nothing before the gate can catch.
class MovedBackend final : public Backend {
 public:
  MovedBackend(const BackendFacts& facts, float move) : fake_(facts), move_(move) {}
  const BackendFacts& facts() const override { return fake_.facts(); }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override {
    absl::StatusOr<Logits> logits = fake_.Run(batch);
    if (!logits.ok() || checks_seen_++ < kSelfChecks) return logits;
    for (size_t i = 0; i < logits->values.size(); i += static_cast<size_t>(logits->classes)) logits->values[i] += move_;
    return logits;
  }

  static constexpr int kSelfChecks = 2;

 private:
  FakeBackend fake_;
  const float move_;
  int checks_seen_ = 0;
};

// A package with both precisions around the tiny tokeniser; what a backend would read is empty.
class ShortGate : public testing::Test {
 protected:
  ShortGate() {
    Manifest manifest = TinyManifest();
    manifest.precisions = {"fp32", "int8"};
    for (const std::string& text : {TinyText(3, 1), TinyText(9, 2)}) {
      const std::vector<float> logits = ExpectedLogits(*TinyModel(), text);
      manifest.self_checks.push_back({.text = text, .fp32_logits = logits, .int8_logits = logits});
    }
    const std::string tokenizer = Tokenizer::FromJson(WordTokenizerJson(), "tokenizer.json")->Compile();
    absl::StatusOr<PackageWriter> writer = PackageWriter::Create(package_, {});
    EXPECT_TRUE(writer.ok()) << writer.status();
    for (const char* name :
         {kTokenizerJsonFile, kTokenizerBinFile, kWeightsFile, kFp32GraphFile, kInt8WeightsFile, kInt8GraphFile}) {
      EXPECT_TRUE(writer->AddFile(name, std::as_bytes(std::span(tokenizer))).ok());
    }
    EXPECT_TRUE(writer->Finish(manifest).ok());
    EXPECT_TRUE(writer->Publish().ok());
  }

  // int8's logits are fp32's, the first one moved.
  absl::StatusOr<ValidationReport> Run(float move, std::vector<std::string> texts = {}) {
    const auto open = [move](const std::shared_ptr<const Package>&, const BackendPlan& plan) {
      BackendFacts facts = FakeFacts();
      facts.precision = plan.precision;
      std::vector<std::unique_ptr<Backend>> workers;
      for (int i = 0; i < plan.workers; ++i) {
        workers.push_back(std::make_unique<MovedBackend>(facts, plan.precision == "int8" ? move : 0));
      }
      return absl::StatusOr<std::vector<std::unique_ptr<Backend>>>(std::move(workers));
    };
    return RunShortGate(package_, {.open = open, .texts = std::move(texts), .threads = 1, .progress = {}});
  }

  std::string Written() const {
    const auto text = ReadFile(package_ / kValidationFile, 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? *text : "";
  }

  const TempDirectory directory_;
  const std::filesystem::path package_ = directory_ / "package";
};

TEST_F(ShortGate, PassesAndWritesItsNumbersIntoThePackage) {
  const auto report = Run(0);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->passed());
  EXPECT_EQ(report->comparison.texts, 2);
  EXPECT_THAT(Written(), HasSubstr("\"self-check texts\""));
  EXPECT_THAT(Written(), HasSubstr("\"passed\": true"));
  EXPECT_TRUE(Package::Open(package_).ok());
}

TEST_F(ShortGate, FailsOnTheTextsGivenAndKeepsThemOutOfThePackage) {
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) texts.push_back(TinyText(5, i));
  const auto report = Run(1, texts);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->passed());
  EXPECT_EQ(report->comparison.texts, 30);
  EXPECT_THAT(FailureText(*report), HasSubstr("--mean-diff"));
  EXPECT_FALSE(report->comparison.worst.empty());
  EXPECT_THAT(Written(), HasSubstr("\"calibration texts\""));
  EXPECT_THAT(Written(), HasSubstr("\"passed\": false"));
  for (const std::string& text : texts) EXPECT_THAT(Written(), Not(HasSubstr(text)));
}

TEST_F(ShortGate, NeedsBothPrecisions) {
  const std::filesystem::path empty = directory_ / "none";
  EXPECT_EQ(RunShortGate(empty, {.open = nullptr, .texts = {}, .progress = {}}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ShortGate, NamesTheFileThatItCannotWrite) {
  std::filesystem::create_directory(package_ / kValidationFile);
  const auto report = Run(0);
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(kValidationFile));
}

}  // namespace
}  // namespace ks
