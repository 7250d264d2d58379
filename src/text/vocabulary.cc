// Tested by vocabulary_test.cc.
#include "text/vocabulary.h"

#include <algorithm>
#include <string>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {

SectionWriter Vocabulary::Build(std::span<const Entry> entries) {
  std::vector<uint32_t> offsets{0};
  std::vector<uint8_t> flags;
  std::string text;
  for (const Entry& entry : entries) {
    text += entry.token;
    offsets.push_back(static_cast<uint32_t>(text.size()));
    flags.push_back(static_cast<uint8_t>((entry.present ? kPresent : 0) | (entry.special ? kSpecial : 0)));
  }
  SectionWriter writer;
  writer.Array(std::span<const uint32_t>(offsets));
  writer.Array(std::span<const uint8_t>(flags));
  writer.Text(text);
  return writer;
}

absl::StatusOr<Vocabulary> Vocabulary::Read(SectionReader reader) {
  Vocabulary vocabulary;
  vocabulary.offsets_ = reader.Array<uint32_t>();
  vocabulary.flags_ = reader.Array<uint8_t>();
  vocabulary.text_ = reader.Text();
  KS_RETURN_IF_ERROR(reader.Finish());
  const auto& offsets = vocabulary.offsets_;
  if (offsets.size() != vocabulary.flags_.size() + 1 || offsets.size() > INT32_MAX) {
    return reader.Damaged(Cat(offsets.size(), " offsets for ", vocabulary.flags_.size(), " tokens"));
  }
  if (offsets.back() != vocabulary.text_.size() || !std::is_sorted(offsets.begin(), offsets.end())) {
    return reader.Damaged("a token outside the text");
  }
  return vocabulary;
}

Vocabulary::Entry Vocabulary::Find(int32_t id) const {
  if (id < 0 || id >= size()) return {};
  const auto i = static_cast<size_t>(id);
  return {text_.substr(offsets_[i], offsets_[i + 1] - offsets_[i]), (flags_[i] & kPresent) != 0,
          (flags_[i] & kSpecial) != 0};
}

}  // namespace ks
