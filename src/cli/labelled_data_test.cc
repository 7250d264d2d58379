#include "cli/labelled_data.h"

#include <fstream>

#include "base/strings.h"
#include "base/testing/temp_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kLabels = {"NEGATIVE", "NEUTRAL", "POSITIVE"};

class LabelledData : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) const {
    const auto path = directory_.path() / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }

  LabelledDataOptions Options(std::vector<std::string> files) const {
    return {.files = std::move(files), .labels = kLabels};
  }

  void ExpectError(const LabelledDataOptions& options, absl::StatusCode code, std::vector<std::string> parts) const {
    const auto data = ReadLabelledData(options);
    EXPECT_EQ(data.status().code(), code) << data.status();
    for (const std::string& part : parts) EXPECT_THAT(std::string(data.status().message()), HasSubstr(part));
  }

  const TempDirectory directory_;
};

std::vector<int> LabelsOf(const DataSet& data) {
  std::vector<int> labels;
  for (const Example& example : data.examples) labels.push_back(example.label);
  return labels;
}

TEST_F(LabelledData, ReadsNamesInAnyCaseFromSeveralFiles) {
  const auto data = ReadLabelledData(Options({Write("a.csv", "text,label\ngood,positive\nbad,NEGATIVE\n"),
                                              Write("b.jsonl", "{\"text\":\"so\",\"label\":\"Neutral\"}\n")}));
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(LabelsOf(*data), ElementsAre(2, 0, 1));
  EXPECT_EQ(data->examples[1].text, "bad");
  EXPECT_EQ(data->examples[1].line, 3);
  EXPECT_EQ(data->examples[2].file, 1);
  EXPECT_EQ(data->files[0].rows, 2);
  EXPECT_TRUE(data->files[1].labelled);
}

TEST_F(LabelledData, ReadsFilesWithoutLabels) {
  const auto data = ReadLabelledData(Options({Write("a.txt", "good\nbad\n"), Write("b.tsv", "text\nso\n")}));
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(LabelsOf(*data), ElementsAre(kNoLabel, kNoLabel, kNoLabel));
  EXPECT_FALSE(data->files[0].labelled);
}

TEST_F(LabelledData, ReadsColumnsByNumberAndLabelsById) {
  LabelledDataOptions options = Options({Write("a.tsv", "0\tbad\n2\tgood\n")});
  options.header = false;
  options.text_column = "2";
  options.label_column = "1";
  options.label_ids = true;
  const auto data = ReadLabelledData(options);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(LabelsOf(*data), ElementsAre(0, 2));
}

TEST_F(LabelledData, KeepsASample) {
  std::string rows = "text,label\n";
  for (int i = 0; i < 500; ++i) rows += Cat("text ", i, i % 2 == 0 ? ",POSITIVE\n" : ",NEGATIVE\n");
  LabelledDataOptions options = Options({Write("a.csv", rows)});
  options.samples = 20;
  const auto data = ReadLabelledData(options);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->examples.size(), 20u);
  EXPECT_EQ(data->rows(), 500);
}

TEST_F(LabelledData, NamesTheRowOfAnUnknownLabel) {
  ExpectError(Options({Write("a.csv", "text,label\ngood,POSITIVE\nso,mixed\n")}), absl::StatusCode::kDataLoss,
              {"a.csv: line 3", "NEGATIVE, NEUTRAL, POSITIVE", "\"mixed\""});
  ExpectError(Options({Write("a.csv", "text,label\ngood,2\n")}), absl::StatusCode::kDataLoss, {"--label-ids"});
  LabelledDataOptions ids = Options({Write("a.csv", "text,label\ngood,3\n")});
  ids.label_ids = true;
  ExpectError(ids, absl::StatusCode::kDataLoss, {"line 2", "from 0 to 2", "\"3\""});
  LabelledDataOptions two = Options({Write("a.csv", "text,label\ngood,positive\nso,neutral\n")});
  two.classes = {0, 2};
  ExpectError(two, absl::StatusCode::kDataLoss, {"line 3", "NEUTRAL", "--classes"});
}

TEST_F(LabelledData, ShowsNoTextThatStandsWhereALabelShould) {
  const std::string text(100, 'x');
  ExpectError(Options({Write("a.csv", Cat("text,label\ngood,", text, "\n"))}), absl::StatusCode::kDataLoss,
              {"a value of 100 bytes"});
}

TEST_F(LabelledData, RefusesOneLabelAlone) {
  const std::string one = Write("a.csv", "text,label\ngood,POSITIVE\nfine,POSITIVE\n");
  ExpectError(Options({one}), absl::StatusCode::kDataLoss, {"a.csv", "every row has the label \"POSITIVE\""});
  // A file for each label is sound.
  EXPECT_TRUE(ReadLabelledData(Options({one, Write("b.csv", "text,label\nbad,NEGATIVE\n")})).ok());
}

TEST_F(LabelledData, RefusesFilesWithoutRows) {
  ExpectError(Options({Write("a.csv", "")}), absl::StatusCode::kDataLoss, {"a.csv", "empty"});
  ExpectError(Options({Write("a.csv", "text,label\n")}), absl::StatusCode::kDataLoss, {"a.csv", "no rows"});
  ExpectError(Options({(directory_.path() / "none.csv").string()}), absl::StatusCode::kNotFound, {"none.csv"});
}

TEST_F(LabelledData, RefusesABadRow) {
  ExpectError(Options({Write("a.txt", "good\n\nbad\n")}), absl::StatusCode::kDataLoss,
              {"a.txt: line 2", "the text is empty"});
}

TEST_F(LabelledData, ListsTheColumnsWhereOneIsMissing) {
  LabelledDataOptions options = Options({Write("a.csv", "text,id\ngood,1\n")});
  options.label_column = "gold";
  ExpectError(options, absl::StatusCode::kInvalidArgument, {"\"gold\"", "text, id"});
  options.files = {Write("a.txt", "good\n")};
  ExpectError(options, absl::StatusCode::kInvalidArgument, {"a.txt", "--label-column"});
}

TEST(FindLabel, PrefersTheSameCase) {
  EXPECT_EQ(FindLabel({"a", "A"}, "A"), 1);
  EXPECT_EQ(FindLabel({"POS", "NEG"}, "neg"), 1);
  EXPECT_EQ(FindLabel({"a", "A"}, "b"), std::nullopt);
  EXPECT_EQ(FindLabel({"Aa", "aA"}, "aa"), std::nullopt);  // either could be meant
}

}  // namespace
}  // namespace ks
