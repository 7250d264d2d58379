// Building and checking the double array. Nodes are placed breadth first, so that the beginnings of all words, which
// every search touches, lie together. Tested by byte_trie_test.cc.
#include "text/byte_trie.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>

#include "base/status.h"

namespace ks {
namespace {

constexpr size_t kBlock = 256;  // base ^ byte stays within a block
constexpr size_t kMaxUnits = size_t{1} << 23;
// Positions tried for one node before a new block is opened. More would pack tighter and take longer.
constexpr int kMaxTries = 512;

}  // namespace

class ByteTrieBuilder {
 public:
  explicit ByteTrieBuilder(std::span<const ByteTrie::Entry> entries) : entries_(entries) {}

  absl::StatusOr<std::vector<ByteTrie::Unit>> Build() {
    AddBlock();
    Remove(free_, 0);  // the root
    first_free_ = 1;
    std::deque<Range> queue{{0, 0, entries_.size(), 0}};
    while (!queue.empty()) {
      Range range = queue.front();
      queue.pop_front();
      if (range.begin < range.end && entries_[range.begin].key.size() == range.depth) {
        units_[range.node].value = entries_[range.begin++].value;
      }
      if (range.begin < range.end) {
        Place(range, queue);
        if (units_.size() > kMaxUnits - kBlock) return InvalidArgument("a trie of more than ", kMaxUnits, " units");
      } else {
        leaves_.push_back(range.node);
      }
    }
    // One block without labels: where every step from a leaf fails.
    const auto nowhere = static_cast<uint32_t>(units_.size());
    AddBlock();
    for (const uint32_t leaf : leaves_) SetBase(leaf, nowhere);
    return std::move(units_);
  }

 private:
  struct Range {  // the entries that share `depth` bytes and end below `node`
    uint32_t node;
    size_t begin, end, depth;
  };

  void AddBlock() {
    units_.resize(units_.size() + kBlock, {ByteTrie::kNoLabel, -1});
    free_.resize(units_.size() / kWordBits, ~uint64_t{0});
    base_free_.resize(free_.size(), ~uint64_t{0});
  }

  void SetBase(uint32_t node, uint32_t base) {
    units_[node].base_and_label = base << ByteTrie::kLabelBits | (units_[node].base_and_label & ByteTrie::kLabelMask);
  }

  void Place(const Range& range, std::deque<Range>& queue) {
    labels_.clear();
    starts_.clear();
    for (size_t i = range.begin; i < range.end; ++i) {
      const auto label = static_cast<uint8_t>(entries_[i].key[range.depth]);
      if (labels_.empty() || labels_.back() != label) {
        labels_.push_back(label);
        starts_.push_back(i);
      }
    }
    starts_.push_back(range.end);

    const uint32_t base = FindBase();
    Remove(base_free_, base);
    SetBase(range.node, base);
    for (size_t i = 0; i < labels_.size(); ++i) {
      const uint32_t child = base ^ labels_[i];
      Remove(free_, child);
      units_[child].base_and_label = labels_[i];
      queue.push_back({child, starts_[i], starts_[i + 1], range.depth + 1});
    }
  }

  // A base that no node has and under which all of labels_ are free: that of the first free unit which can be the child
  // for labels_[0]. Looks at 64 units at a time.
  uint32_t FindBase() {
    while (first_free_ < units_.size() && !Holds(free_, first_free_)) ++first_free_;
    int tries = kMaxTries;
    for (size_t word = first_free_ / kWordBits; word < free_.size() && tries > 0; ++word) {
      uint64_t tried = free_[word];
      if (word == first_free_ / kWordBits) tried &= ~uint64_t{0} << first_free_ % kWordBits;
      tried = LowestBits(tried, tries);
      tries -= std::popcount(tried);
      if (const uint64_t fitting = Fitting(word, tried); fitting != 0) {
        const size_t child = word * kWordBits + static_cast<size_t>(std::countr_zero(fitting));
        return static_cast<uint32_t>(child) ^ labels_[0];
      }
    }
    // The positions tried in vain are nearly full: later nodes need not try them again.
    if (tries == 0) first_free_ += kMaxTries / 4;
    const auto base = static_cast<uint32_t>(units_.size());
    AddBlock();
    return base;
  }

  // Those of the units `tried` of a word that can be the child for labels_[0].
  uint64_t Fitting(size_t word, uint64_t tried) const {
    uint64_t fitting = tried & Moved(base_free_, word, labels_[0]);
    for (size_t i = 1; i < labels_.size() && fitting != 0; ++i) {
      fitting &= Moved(free_, word, labels_[0] ^ labels_[i]);
    }
    return fitting;
  }

  // --- Sets of units, or of bases, as bits ---
  static constexpr size_t kWordBits = 64;

  static bool Holds(const std::vector<uint64_t>& set, size_t at) { return set[at / kWordBits] >> at % kWordBits & 1; }
  static void Remove(std::vector<uint64_t>& set, size_t at) { set[at / kWordBits] &= ~(uint64_t{1} << at % kWordBits); }
  // The lowest `count` of `bits`, or all if there are fewer.
  static uint64_t LowestBits(uint64_t bits, int count) {
    if (std::popcount(bits) <= count) return bits;
    uint64_t rest = bits;
    for (; count > 0; --count) rest &= rest - 1;
    return bits ^ rest;
  }
  // The word whose bit for each unit n says whether n ^ by is in `set`.
  static uint64_t Moved(const std::vector<uint64_t>& set, size_t word, unsigned by) {
    // Exchanges neighbouring bits, then pairs, fours, ..
    static constexpr std::array<uint64_t, 6> kLower = {0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F,
                                                       0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF};
    uint64_t bits = set[word ^ by / kWordBits];
    for (size_t i = 0; i < kLower.size(); ++i) {
      const unsigned distance = 1u << i;
      if (by & distance) bits = (bits >> distance & kLower[i]) | (bits & kLower[i]) << distance;
    }
    return bits;
  }

  std::span<const ByteTrie::Entry> entries_;
  std::vector<ByteTrie::Unit> units_;
  std::vector<uint64_t> free_;       // units that no node is yet
  std::vector<uint64_t> base_free_;  // bases that no node has yet
  std::vector<uint32_t> leaves_;
  std::vector<uint8_t> labels_;  // of the node being placed, ascending
  std::vector<size_t> starts_;   // where each label's entries begin, and the end
  size_t first_free_ = 0;
};

absl::StatusOr<std::vector<ByteTrie::Unit>> ByteTrie::Build(std::span<const Entry> entries) {
  return ByteTrieBuilder(entries).Build();
}

absl::StatusOr<ByteTrie> ByteTrie::FromUnits(std::span<const Unit> units, int32_t values, const SectionReader& reader) {
  if (units.empty() || units.size() % kBlock != 0) {
    return reader.Damaged(Cat("a trie of ", units.size(), " units, expected a positive multiple of ", kBlock));
  }
  // base ^ byte stays in the block of base, so it is inside if base is.
  uint32_t max_base = 0;
  int32_t max_value = -1;
  for (const Unit& unit : units) {
    max_base = std::max(max_base, unit.base_and_label >> kLabelBits);
    max_value = std::max(max_value, unit.value);
  }
  if (max_base >= units.size()) return reader.Damaged("a trie that leads outside itself");
  if (max_value >= values) return reader.Damaged(Cat("a trie with the value ", max_value, " of ", values));
  ByteTrie trie;
  trie.units_ = units;
  return trie;
}

std::optional<ByteTrie::Node> ByteTrie::Walk(std::string_view bytes) const {
  Node node = kRoot;
  for (const char c : bytes) {
    if (!Step(node, static_cast<uint8_t>(c))) return std::nullopt;
  }
  return node;
}

std::optional<int32_t> ByteTrie::Find(std::string_view key) const {
  const std::optional<Node> node = Walk(key);
  if (!node || value(*node) < 0) return std::nullopt;
  return value(*node);
}

}  // namespace ks
