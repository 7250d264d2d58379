// Tested by template_processor_test.cc.
#include "text/template_processor.h"

#include <algorithm>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {

bool IsTemplate(std::span<const TemplatePiece> pieces, bool pair) {
  std::vector<int32_t> texts;
  for (const TemplatePiece& piece : pieces) {
    if (piece.id < 0) texts.push_back(piece.id);
  }
  return pair ? texts == std::vector{TemplatePiece::kFirstText, TemplatePiece::kSecondText}
              : texts == std::vector{TemplatePiece::kFirstText};
}

SectionWriter TemplateProcessor::Build(const TemplateSpec& spec) {
  SectionWriter writer;
  writer.Array(std::span<const TemplatePiece>(spec.single));
  writer.Array(std::span<const TemplatePiece>(spec.pair));
  return writer;
}

absl::StatusOr<TemplateProcessor> TemplateProcessor::Read(SectionReader reader, int32_t ids) {
  TemplateProcessor processor;
  processor.single_ = reader.Array<TemplatePiece>();
  processor.pair_ = reader.Array<TemplatePiece>();
  KS_RETURN_IF_ERROR(reader.Finish());
  for (const bool pair : {false, true}) {
    const auto pieces = processor.pieces(pair);
    if (!IsTemplate(pieces, pair)) return reader.Damaged("a template without its texts");
    if (std::any_of(pieces.begin(), pieces.end(), [ids](const TemplatePiece& piece) { return piece.id >= ids; })) {
      return reader.Damaged(Cat("a special token that is none of the ", ids, " ids"));
    }
  }
  return processor;
}

}  // namespace ks
