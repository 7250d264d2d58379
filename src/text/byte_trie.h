// A set of byte strings with a number each, as a double array: one load and one comparison a byte, no pointers, usable
// from a mapped file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/section_file.h"

namespace ks {

// A view of the array that Build made. Copyable; the array must outlive it.
//
// The node n has the child for byte b at base(n) ^ b, if the unit there bears the label b. All bases differ (those of
// leaves lead to units without label), so that the label alone proves whose child a unit is.
class ByteTrie {
 public:
  struct Unit {
    uint32_t base_and_label;  // base << 9 | label; the label kNoLabel marks an unused unit, and the root
    int32_t value;            // -1 if no string ends here
  };
  struct Entry {
    std::string_view key;
    int32_t value;  // not negative
  };
  using Node = uint32_t;

  // Requires keys that are sorted (as bytes) and differ. An empty key is allowed. Deterministic.
  // Errors: kInvalidArgument if the array would pass 8 million units.
  static absl::StatusOr<std::vector<Unit>> Build(std::span<const Entry> entries);

  ByteTrie() = default;
  // Checks that walking cannot leave the array and that all values are below `values`. `reader` names the section.
  static absl::StatusOr<ByteTrie> FromUnits(std::span<const Unit> units, int32_t values, const SectionReader& reader);

  static constexpr Node kRoot = 0;

  // Moves `node` to its child for `byte`, or gives false and leaves it.
  bool Step(Node& node, uint8_t byte) const {
    const uint32_t child = (units_[node].base_and_label >> kLabelBits) ^ byte;
    if ((units_[child].base_and_label & kLabelMask) != byte) return false;
    node = child;
    return true;
  }
  int32_t value(Node node) const { return units_[node].value; }

  // The node that all of `bytes` lead to.
  std::optional<Node> Walk(std::string_view bytes) const;
  // The value of exactly `key`.
  std::optional<int32_t> Find(std::string_view key) const;

  struct Match {
    int32_t value = -1;  // -1 if there is none
    size_t length = 0;
  };
  // The longest non-empty string of the set that `text` begins with, read on from the string of `start`.
  Match Longest(Node start, const char* text, size_t size) const {
    Match match;
    Node node = start;
    for (size_t i = 0; i < size && Step(node, static_cast<uint8_t>(text[i]));) {
      ++i;
      if (const int32_t found = units_[node].value; found >= 0) match = {found, i};
    }
    return match;
  }

  bool empty() const { return units_.empty(); }

 private:
  static constexpr int kLabelBits = 9;
  static constexpr uint32_t kLabelMask = (1u << kLabelBits) - 1;
  static constexpr uint32_t kNoLabel = kLabelMask;
  friend class ByteTrieBuilder;

  std::span<const Unit> units_;
};

}  // namespace ks
