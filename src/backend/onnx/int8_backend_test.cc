// The int8 graph from a package, as it is served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/onnx/onnx_backend.h"
#include "backend/onnx/testing/backend_expectations.h"
#include "backend/onnx/testing/tiny_package.h"
#include "base/strings.h"
#include "kernels/kernels_testing.h"

namespace ks {
namespace {

struct Batch {
  explicit Batch(const std::vector<int>& lengths) {
    Random random(3);
    for (const int length : lengths) {
      for (int t = 0; t < length; ++t) ids.push_back(random.Below(20));
      offsets.push_back(static_cast<int32_t>(ids.size()));
    }
  }
  PackedBatch view() const { return {ids, offsets, {}}; }

  std::vector<int32_t> ids;
  std::vector<int32_t> offsets = {0};
};

const std::vector<Batch>& Batches() {
  static const std::vector<Batch> batches = {Batch({1}), Batch({16}), Batch({40}), Batch({3, 40, 1, 17}),
                                             Batch(std::vector<int>(12, 40))};
  return batches;
}

// Two layers whose dense layers are all int8; one of them keeps a dense layer in fp32, and is a node for each step.
const std::vector<std::vector<std::string>> kFp32Layers = {{}, {"layer.0.ffn.in"}, {"layer.1.qkv"}};

class Int8Backend : public ::testing::TestWithParam<std::vector<std::string>> {
 protected:
  void SetUp() override {
    const auto package = Package::Open(converted_.path());
    ASSERT_TRUE(package.ok()) << package.status();
    package_ = *package;
  }

  std::unique_ptr<Backend> Open(int threads, IsaLevel isa = BestIsa()) {
    auto backend = OnnxBackend::Open(package_, {.precision = "int8", .threads = threads, .isa = isa});
    EXPECT_TRUE(backend.ok()) << backend.status();
    return backend.ok() ? *std::move(backend) : nullptr;
  }

  const TinyPackage converted_{GetParam()};
  std::shared_ptr<const Package> package_;
};
INSTANTIATE_TEST_SUITE_P(Fp32Layers, Int8Backend, testing::ValuesIn(kFp32Layers),
                         [](const auto& kept) { return Cat("Kept", kept.index); });

TEST_P(Int8Backend, GivesTheSameBitsWithAnyThreadsOnAnyInstructionSet) {
  const auto reference = Open(1, IsaLevel::kScalar);
  for (const IsaLevel isa : SupportedIsas()) {
    for (const int threads : {1, 2, 3, 4}) {
      const auto backend = Open(threads, isa);
      EXPECT_EQ(backend->facts().threads, threads);
      EXPECT_EQ(backend->facts().least_run_tokens, isa == IsaLevel::kAvx512Amx ? 64 : 32);
      for (const Batch& batch : Batches()) {
        const auto expected = reference->Run(batch.view());
        const auto found = backend->Run(batch.view());
        ASSERT_TRUE(expected.ok() && found.ok()) << expected.status() << found.status();
        EXPECT_EQ(DifferentBits(found->values, expected->values), 0u)
            << IsaName(isa) << ", " << threads << " threads, " << batch.ids.size() << " tokens";
      }
    }
  }
}

TEST_P(Int8Backend, GivesATextTheSameBitsAloneAndInABatch) {
  const auto backend = Open(2);
  for (const Batch& batch : Batches()) {
    const auto together = backend->Run(batch.view());
    ASSERT_TRUE(together.ok()) << together.status();
    for (int i = 0; i < together->sequences; ++i) {
      const int32_t begin = batch.offsets[i];
      const std::vector<int32_t> offsets = {0, batch.offsets[i + 1] - begin};
      const auto alone = backend->Run({std::span(batch.ids).subspan(begin, offsets[1]), offsets, {}});
      ASSERT_TRUE(alone.ok()) << alone.status();
      for (int c = 0; c < alone->classes; ++c) EXPECT_EQ(together->row(i)[c], alone->values[c]);
    }
  }
}

TEST_P(Int8Backend, ShowsItsHiddenStatesAndTheSameLogits) {
  const Batch& batch = Batches()[3];
  for (const int threads : {1, 2}) {
    const auto backend = Open(threads);
    std::vector<TapRecord> taps;
    const auto traced = Trace(*backend, batch.view(), taps);
    const auto logits = backend->Run(batch.view());
    ASSERT_TRUE(traced.ok() && logits.ok()) << traced.status() << logits.status();
    EXPECT_EQ(traced->values, logits->values);
    ASSERT_EQ(taps.size(), 3u);
    EXPECT_EQ(taps[0].tap, "embeddings");
    EXPECT_EQ(taps[1].tap, "layer.0");
    EXPECT_EQ(taps[1].hidden.size(), batch.ids.size() * taps[1].width);
    EXPECT_EQ(taps[2].tap, "layer.1");
    EXPECT_EQ(taps[2].hidden.size(), (batch.offsets.size() - 1) * taps[2].width);
  }
}

TEST_P(Int8Backend, GivesATeamToOneBackendAlone) {
  const OnnxOptions options = {.precision = "int8", .threads = 2};
  EXPECT_TRUE(OnnxBackend::OpenGroup(package_, options, 1).ok());
  ExpectError(OnnxBackend::OpenGroup(package_, options, 3).status(), absl::StatusCode::kInvalidArgument,
              "threads is 2 for a group of 3 int8 backends, expected 1");
}

}  // namespace
}  // namespace ks
