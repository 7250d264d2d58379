#include "text/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::FieldsAre;
using ::testing::HasSubstr;

WordPieceSpec Spec(std::string prefix = "##") {
  return {
      {{"[UNK]", 0}, {"un", 1}, {"##aff", 2}, {"##able", 3}, {"unaff", 4}, {"##a", 5}, {"\u00e9", 6}, {"##\u00e9", 7}},
      "[UNK]",
      std::move(prefix),
      100};
}

struct Model {
  explicit Model(const WordPieceSpec& spec) : section(*WordPiece::Build(spec)) {
    model = *WordPiece::Read(SectionReader(SectionId::kWordPiece, std::as_bytes(std::span(section.bytes()))), 8);
  }
  SectionWriter section;
  WordPiece model;
};

using Piece = std::tuple<int32_t, size_t, size_t>;

std::vector<Piece> PiecesOf(const WordPiece& model, std::string_view word) {
  std::vector<Piece> pieces;
  const bool known =
      model.Split(word, [&](int32_t id, size_t begin, size_t end) { pieces.emplace_back(id, begin, end); });
  return known ? pieces : std::vector<Piece>{{-1, 0, word.size()}};
}

TEST(WordPiece, TakesTheLongestPieceFirst) {
  const Model m(Spec());
  EXPECT_THAT(PiecesOf(m.model, "unaffable"), ElementsAre(FieldsAre(4, 0, 5), FieldsAre(3, 5, 9)));
  EXPECT_THAT(PiecesOf(m.model, "un\u00e9"), ElementsAre(FieldsAre(1, 0, 2), FieldsAre(7, 2, 4)));
}

TEST(WordPiece, CallsAWordUnknownThatItCannotCover) {
  const Model m(Spec());
  EXPECT_THAT(PiecesOf(m.model, "unable!"), ElementsAre(FieldsAre(-1, 0, 7)));
  EXPECT_THAT(PiecesOf(m.model, "\xC3"), ElementsAre(FieldsAre(-1, 0, 1)));
}

TEST(WordPiece, ContinuesNothingWhereNoPieceHasThePrefix) {
  const Model m(Spec("@@"));
  EXPECT_THAT(PiecesOf(m.model, "unaff"), ElementsAre(FieldsAre(4, 0, 5)));
  EXPECT_THAT(PiecesOf(m.model, "unaffa"), ElementsAre(FieldsAre(-1, 0, 6)));
}

TEST(WordPiece, ContinuesWithAnyTokenWhereThePrefixIsEmpty) {
  const Model m(Spec(""));
  EXPECT_THAT(PiecesOf(m.model, "unun"), ElementsAre(FieldsAre(1, 0, 2), FieldsAre(1, 2, 4)));
}

TEST(WordPiece, NeedsItsUnknownToken) {
  WordPieceSpec spec = Spec();
  spec.unknown_token = "<unk>";
  const absl::Status status = WordPiece::Build(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.unk_token: \"<unk>\" is not in the vocabulary"));
}

TEST(WordPiece, RefusesIdsBeyondTheVocabulary) {
  const SectionWriter section = *WordPiece::Build(Spec());
  const SectionReader reader(SectionId::kWordPiece, std::as_bytes(std::span(section.bytes())));
  EXPECT_EQ(WordPiece::Read(reader, 7).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ks
