// Tested by wordpiece_decoder_test.cc.
#include "text/wordpiece_decoder.h"

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

// In this order, each over the result of the one before, and within one token only: so the reference does it.
constexpr struct {
  std::string_view from, to;
} kCleanups[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

void ReplaceAll(std::string_view from, std::string_view to, std::string& text) {
  std::string result;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string::npos; done = at + from.size()) {
    result.append(text, done, at - done).append(to);
  }
  if (done > 0) text = result.append(text, done);
}

}  // namespace

SectionWriter WordPieceDecoder::Build(const DecoderSpec& spec) {
  SectionWriter writer;
  writer.Value<uint32_t>(spec.wordpiece).Value<uint32_t>(spec.cleanup).Text(spec.prefix);
  return writer;
}

absl::StatusOr<WordPieceDecoder> WordPieceDecoder::Read(SectionReader reader) {
  WordPieceDecoder decoder;
  decoder.wordpiece_ = reader.Value<uint32_t>() != 0;
  decoder.cleanup_ = reader.Value<uint32_t>() != 0;
  decoder.prefix_ = reader.Text();
  KS_RETURN_IF_ERROR(reader.Finish());
  return decoder;
}

void WordPieceDecoder::Append(std::string_view token, bool first, std::string& text) const {
  if (!wordpiece_) {
    if (!first) text += ' ';
    text += token;
    return;
  }
  std::string piece;
  if (!first && token.starts_with(prefix_)) {
    piece = token.substr(prefix_.size());
  } else {
    piece = first ? "" : " ";
    piece += token;
  }
  if (cleanup_ && piece.find(' ') != std::string::npos) {
    for (const auto& [from, to] : kCleanups) ReplaceAll(from, to, piece);
  }
  text += piece;
}

}  // namespace ks
