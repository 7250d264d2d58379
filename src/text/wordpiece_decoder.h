// Token strings back to text, as the reference's WordPiece decoder joins them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "text/section_file.h"

namespace ks {

struct DecoderSpec {
  bool wordpiece = true;  // false: tokens are joined with spaces, as they are
  std::string prefix = "##";
  bool cleanup = true;  // no space before punctuation and English contractions
};

// A view of the section. Copyable; the bytes must outlive it.
class WordPieceDecoder {
 public:
  static SectionWriter Build(const DecoderSpec& spec);

  WordPieceDecoder() = default;
  // Errors: kDataLoss.
  static absl::StatusOr<WordPieceDecoder> Read(SectionReader reader);

  // Appends `token` to `text`. `first`: nothing was appended before.
  void Append(std::string_view token, bool first, std::string& text) const;

 private:
  bool wordpiece_ = false;
  bool cleanup_ = false;
  std::string_view prefix_;
};

}  // namespace ks
