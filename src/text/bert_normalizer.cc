// The stages of the reference one after the other, each a pass over the list. Tested by bert_normalizer_test.cc.
#include "text/bert_normalizer.h"

#include <algorithm>

#include "base/status.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace ks {
namespace {

using Chars = std::vector<NormalizedChar>;

void CleanText(Chars& chars) {
  std::erase_if(chars, [](const NormalizedChar& x) { return PropertiesOf(x.c).Has(CharProperties::kControl); });
  for (NormalizedChar& x : chars) {
    if (PropertiesOf(x.c).Has(CharProperties::kWhitespace)) x.c = ' ';
  }
}

void SpaceChinese(Chars& chars) {
  Chars out;
  out.reserve(chars.size());
  for (const NormalizedChar& x : chars) {
    const bool chinese = PropertiesOf(x.c).Has(CharProperties::kChinese);
    if (chinese) out.push_back({' ', x.origin});
    out.push_back(x);
    if (chinese) out.push_back({' ', x.origin});
  }
  chars = std::move(out);
}

// The reference decomposes, sorts, and only then walks along the source to find origins: a mark that is the first of
// its character's decomposition takes the next character of the source, any other the one before. Sorting may have put
// a mark of another character in between, so this has to be repeated as it is.
void Decompose(Chars& chars) {
  struct Item {
    char32_t c;
    uint8_t combining_class;
    bool first;
  };
  std::vector<Item> items;
  items.reserve(chars.size());
  size_t run = 0;  // where the run of non-starters at the end of `items` begins
  const auto sort_run = [&] {
    std::stable_sort(items.begin() + static_cast<ptrdiff_t>(run), items.end(),
                     [](const Item& a, const Item& b) { return a.combining_class < b.combining_class; });
  };
  for (const NormalizedChar& x : chars) {
    uint32_t buffer[3];
    bool first = true;
    for (const uint32_t c : DecompositionOf(x.c, buffer)) {
      const uint8_t combining_class = PropertiesOf(c).combining_class;
      if (combining_class == 0) {
        sort_run();
        run = items.size() + 1;
      }
      items.push_back({c, combining_class, first});
      first = false;
    }
  }
  run = std::min(run, items.size());
  sort_run();

  Chars out;
  out.reserve(items.size());
  size_t taken = 0;
  for (const Item& item : items) {
    if (item.first) ++taken;
    out.push_back({item.c, chars[taken == 0 ? 0 : taken - 1].origin});
  }
  chars = std::move(out);
}

void LowercaseAll(Chars& chars) {
  Chars out;
  out.reserve(chars.size());
  for (const NormalizedChar& x : chars) {
    const Lowercase lower = LowercaseOf(x.c);
    out.push_back({lower.c, x.origin});
    if (lower.mark != 0) out.push_back({lower.mark, x.origin});
  }
  chars = std::move(out);
}

constexpr uint32_t kCleanText = 1, kHandleChinese = 2, kStripAccents = 4, kLowercase = 8;

}  // namespace

SectionWriter BuildNormalizerSection(const NormalizerOptions& options) {
  SectionWriter writer;
  writer.Value<uint32_t>((options.clean_text ? kCleanText : 0) | (options.handle_chinese_chars ? kHandleChinese : 0) |
                         (options.strip_accents ? kStripAccents : 0) | (options.lowercase ? kLowercase : 0));
  return writer;
}

absl::StatusOr<NormalizerOptions> ReadNormalizerSection(SectionReader reader) {
  const auto bits = reader.Value<uint32_t>();
  KS_RETURN_IF_ERROR(reader.Finish());
  if (bits > (kCleanText | kHandleChinese | kStripAccents | kLowercase))
    return reader.Damaged(Cat("the options ", bits));
  return NormalizerOptions{.clean_text = (bits & kCleanText) != 0,
                           .handle_chinese_chars = (bits & kHandleChinese) != 0,
                           .strip_accents = (bits & kStripAccents) != 0,
                           .lowercase = (bits & kLowercase) != 0};
}

void Normalize(std::string_view text, const NormalizerOptions& options, uint32_t first_origin, Chars& out) {
  out.clear();
  for (size_t pos = 0; pos < text.size();) {
    out.push_back({NextCodePoint(text, pos), first_origin + static_cast<uint32_t>(out.size())});
  }
  if (options.clean_text) CleanText(out);
  if (options.handle_chinese_chars) SpaceChinese(out);
  if (options.strip_accents) {
    Decompose(out);
    std::erase_if(out, [](const NormalizedChar& x) { return PropertiesOf(x.c).Has(CharProperties::kNonspacing); });
  }
  if (options.lowercase) LowercaseAll(out);
}

}  // namespace ks
