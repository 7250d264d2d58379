// The strings of all ids, those of the model and the added ones.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/section_file.h"

namespace ks {

// A view of the section. Copyable; the bytes must outlive it.
class Vocabulary {
 public:
  struct Entry {
    std::string_view token;
    bool present = false;  // ids may have holes
    bool special = false;  // left out of decoded text on request
  };

  // The section; entries[i] is that of id i.
  static SectionWriter Build(std::span<const Entry> entries);

  Vocabulary() = default;
  // Errors: kDataLoss.
  static absl::StatusOr<Vocabulary> Read(SectionReader reader);

  // One more than the highest id.
  int32_t size() const { return static_cast<int32_t>(flags_.size()); }
  // An entry that is not present for an id out of range.
  Entry Find(int32_t id) const;

 private:
  static constexpr uint8_t kPresent = 1, kSpecial = 2;

  std::span<const uint32_t> offsets_;  // [size + 1], into text_
  std::span<const uint8_t> flags_;     // [size]
  std::string_view text_;
};

}  // namespace ks
