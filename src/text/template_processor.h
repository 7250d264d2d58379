// The post-processor: where special tokens stand around one text or two, and which segment each token belongs to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "text/section_file.h"

namespace ks {

// A special token, or the place of a text.
struct TemplatePiece {
  static constexpr int32_t kFirstText = -1;
  static constexpr int32_t kSecondText = -2;
  int32_t id;  // or one of the above
  int32_t type_id;
  friend bool operator==(const TemplatePiece&, const TemplatePiece&) = default;
};

struct TemplateSpec {
  std::vector<TemplatePiece> single;  // holds kFirstText once, kSecondText not at all
  std::vector<TemplatePiece> pair;    // holds kFirstText once, and later kSecondText once
};

// A view of the section. Copyable; the bytes must outlive it.
class TemplateProcessor {
 public:
  static SectionWriter Build(const TemplateSpec& spec);

  TemplateProcessor() = default;
  // Errors: kDataLoss. `ids`: all ids are below it.
  static absl::StatusOr<TemplateProcessor> Read(SectionReader reader, int32_t ids);

  std::span<const TemplatePiece> pieces(bool pair) const { return pair ? pair_ : single_; }
  // How many of them are special tokens.
  int special_tokens(bool pair) const { return static_cast<int>(pieces(pair).size()) - (pair ? 2 : 1); }

 private:
  std::span<const TemplatePiece> single_;
  std::span<const TemplatePiece> pair_;
};

// Whether `pieces` hold the texts as TemplateSpec says.
bool IsTemplate(std::span<const TemplatePiece> pieces, bool pair);

}  // namespace ks
