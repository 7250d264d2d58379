#include "text/wordpiece_decoder.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace ks {
namespace {

std::string Decoded(const DecoderSpec& spec, std::initializer_list<std::string_view> tokens) {
  const SectionWriter section = WordPieceDecoder::Build(spec);
  const WordPieceDecoder decoder =
      *WordPieceDecoder::Read(SectionReader(SectionId::kDecoder, std::as_bytes(std::span(section.bytes()))));
  std::string text;
  bool first = true;
  for (const std::string_view token : tokens) {
    decoder.Append(token, first, text);
    first = false;
  }
  return text;
}

TEST(WordPieceDecoder, JoinsPieces) {
  EXPECT_EQ(Decoded({}, {"un", "##aff", "##able", "words"}), "unaffable words");
  EXPECT_EQ(Decoded({}, {"##aff", "##able"}), "##affable");  // the first stays as it is
}

TEST(WordPieceDecoder, CleansUpWithinATokenOnly) {
  EXPECT_EQ(Decoded({}, {"no", "!", "yes", ",", "n't", "'s", "'", "t"}), "no! yes,n't's ' t");
  EXPECT_EQ(Decoded({.cleanup = false}, {"no", "!"}), "no !");
  EXPECT_EQ(Decoded({}, {"a", "b . c do not . . d"}), "a b. c don't.. d");
}

TEST(WordPieceDecoder, JoinsWithSpacesWithoutADecoder) {
  EXPECT_EQ(Decoded({.wordpiece = false}, {"a", "##b", "!"}), "a ##b !");
}

}  // namespace
}  // namespace ks
