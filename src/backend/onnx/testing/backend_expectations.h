// What the tests of every real backend expect: PyTorch's logits, the same alone and in batches, errors by code and text.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "backend/onnx/testing/golden_logits.h"

namespace ks {

inline constexpr double kGoldenTolerance = 1e-4;  // of the largest logit, as everywhere in the project

inline void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(part));
}

inline void ExpectGolden(Backend& backend, const std::vector<GoldenCase>& cases) {
  const GoldenBatch batch(cases);
  const absl::StatusOr<Logits> logits = backend.Run(batch.view());
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(logits->sequences, static_cast<int>(cases.size()));
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::vector<double>& expected = cases[i].logits;
    for (size_t c = 0; c < expected.size(); ++c) {
      EXPECT_NEAR(logits->row(static_cast<int>(i))[c], expected[c], kGoldenTolerance * cases[i].largest())
          << "sequence " << i << " of " << cases[i].ids.size() << " tokens, class " << c;
    }
  }
}

// Each sequence alone, and in two batches of opposite orders; `tolerance` is of the sequence's largest logit, since matrix
// products may differ in the last bits between one row and several.
inline void ExpectBatchesToMatchSingles(Backend& backend, std::vector<GoldenCase> cases, double tolerance) {
  std::vector<std::vector<float>> alone;
  for (const GoldenCase& single : cases) {
    const GoldenBatch batch({single});
    const absl::StatusOr<Logits> logits = backend.Run(batch.view());
    ASSERT_TRUE(logits.ok()) << logits.status();
    alone.push_back(logits->values);
  }
  for (int pass = 0; pass < 2; ++pass) {
    const GoldenBatch batch(cases);
    const absl::StatusOr<Logits> logits = backend.Run(batch.view());
    ASSERT_TRUE(logits.ok()) << logits.status();
    for (size_t i = 0; i < cases.size(); ++i) {
      for (size_t c = 0; c < alone[i].size(); ++c) {
        EXPECT_NEAR(logits->row(static_cast<int>(i))[c], alone[i][c], tolerance * cases[i].largest())
            << "sequence " << i << " in pass " << pass;
      }
    }
    std::ranges::reverse(cases);
    std::ranges::reverse(alone);
  }
}

// A tap of RunTraced, kept.
struct TapRecord {
  std::string tap;
  std::vector<float> hidden;
  int width;
};

inline absl::StatusOr<Logits> Trace(Backend& backend, const PackedBatch& batch, std::vector<TapRecord>& taps) {
  return backend.RunTraced(batch, [&taps](const Backend::Tap& tap) {
    taps.push_back({std::string(tap.tap), {tap.hidden.begin(), tap.hidden.end()}, tap.width});
  });
}

}  // namespace ks
