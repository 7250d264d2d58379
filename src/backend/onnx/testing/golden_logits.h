// Test support: the logits that PyTorch gives in float32 (tests/golden/make_model_logits.py).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/batch.h"

namespace ks {

struct GoldenCase {
  std::vector<int32_t> ids;
  int first_segment = 0;  // the tokens before have the token type 0, the others 1
  std::vector<double> logits;

  double largest() const;  // of the logits' magnitudes
};

// The cases of `model` ("default", "tiny_bert", "tiny_distilbert") in the source tree at `source`.
absl::StatusOr<std::vector<GoldenCase>> ReadGolden(const std::filesystem::path& source, std::string_view model);

// Cases as one batch that owns its arrays.
class GoldenBatch {
 public:
  explicit GoldenBatch(const std::vector<GoldenCase>& cases);

  PackedBatch view() const& { return {ids_, offsets_, types_}; }
  PackedBatch view() const&& = delete;
  PackedBatch without_types() const& { return {ids_, offsets_, {}}; }
  PackedBatch without_types() const&& = delete;

 private:
  std::vector<int32_t> ids_;
  std::vector<int32_t> offsets_ = {0};
  std::vector<int32_t> types_;
};

}  // namespace ks
