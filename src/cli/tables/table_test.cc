#include "cli/tables/table.h"

#include <sys/resource.h>

#include "cli/tables/columns.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> kLabels = {"NEG", "POS"};

struct ReadBack {
  absl::Status status;
  std::vector<std::string> columns = {};
  std::vector<Row> rows = {};
};

ReadBack ReadTable(const std::string& bytes, const TableOptions& options) {
  auto table = OpenTable(MemoryByteSource(bytes, "rows"), "rows", options);
  if (!table.ok()) return {table.status()};
  ReadBack result{absl::OkStatus(), (*table)->columns()};
  while (true) {
    Row row;
    const auto more = (*table)->Next(row);
    result.status = more.status();
    if (!more.ok() || !*more) return result;
    result.rows.push_back(row);
  }
}

// What predict would write if every good row were POS with 0.75.
std::string Rewrite(const std::string& bytes, const TableOptions& options) {
  const ReadBack read = ReadTable(bytes, options);
  EXPECT_EQ(read.status, absl::OkStatus());
  const TableFormat format = options.lines_as_json ? TableFormat::kJsonl : options.format;
  const auto writer = MakeTableWriter(format, options.header, read.columns, kLabels);
  std::string out = writer->Header();
  const RowScores scores{1, {0.25f, 0.75f}};
  for (const Row& row : read.rows) writer->Append(row, row.error.empty() ? &scores : nullptr, out);
  return out;
}

void ExpectUsageError(const std::string& bytes, const TableOptions& options, std::vector<std::string> parts) {
  const ReadBack read = ReadTable(bytes, options);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kInvalidArgument) << bytes;
  for (const std::string& part : parts) EXPECT_THAT(std::string(read.status.message()), HasSubstr(part));
}

constexpr TableFormat kCsv = TableFormat::kCsv;
constexpr TableFormat kTsv = TableFormat::kTsv;
constexpr TableFormat kJsonl = TableFormat::kJsonl;
constexpr TableFormat kText = TableFormat::kText;

TEST(Table, FormatFollowsTheExtension) {
  EXPECT_EQ(FormatOfPath("a.csv"), kCsv);
  EXPECT_EQ(FormatOfPath("dir.csv/a.tsv.gz"), kTsv);
  EXPECT_EQ(FormatOfPath("a.jsonl.xz"), kJsonl);
  EXPECT_EQ(FormatOfPath("a.txt"), kText);
  EXPECT_EQ(FormatOfPath("-"), kText);
  EXPECT_EQ(FormatOfPath("csv"), kText);
}

// --- Which column is the text: the same for csv and tsv ---

TEST(Table, TextColumnIsTheOneCalledText) {
  EXPECT_EQ(ReadTable("id,text\n1,good\n", {.format = kCsv}).rows[0].text, "good");
  EXPECT_EQ(ReadTable("text\tid\ngood\t1\n", {.format = kTsv}).rows[0].text, "good");
}

TEST(Table, TextColumnIsTheOnlyOne) {
  EXPECT_EQ(ReadTable("review\ngood\n", {.format = kCsv}).rows[0].text, "good");
  EXPECT_EQ(ReadTable("review\ngood\n", {.format = kTsv}).rows[0].text, "good");
}

TEST(Table, AnythingElseIsAnErrorListingTheColumns) {
  ExpectUsageError("review,stars\nnice,5\n", {.format = kCsv},
                   {"rows: which column", "review, stars", "--text-column"});
  ExpectUsageError("review\tstars\nnice\t5\n", {.format = kTsv}, {"review, stars"});
  ExpectUsageError("{\"review\":\"nice\",\"stars\":5}\n", {.format = kJsonl}, {"review, stars"});
  ExpectUsageError("text,a,text\n", {.format = kCsv}, {"2 columns are called \"text\"", "text, a, text"});
}

TEST(Table, TextColumnByNameOrNumber) {
  EXPECT_EQ(ReadTable("a,b\n1,2\n", {.format = kCsv, .text_column = "b"}).rows[0].text, "2");
  EXPECT_EQ(ReadTable("a,b\n1,2\n", {.format = kCsv, .text_column = "1"}).rows[0].text, "1");
  // A name comes before a number.
  EXPECT_EQ(ReadTable("2,1\nx,y\n", {.format = kCsv, .text_column = "1"}).rows[0].text, "y");
  EXPECT_EQ(ReadTable("{\"a\":\"x\",\"b\":\"y\"}\n", {.format = kJsonl, .text_column = "b"}).rows[0].text, "y");
  ExpectUsageError("a,b\n", {.format = kCsv, .text_column = "c"}, {"no column \"c\"", "a, b"});
  ExpectUsageError("a,b\n", {.format = kCsv, .text_column = "3"}, {"no column \"3\"", "a, b"});
  ExpectUsageError("a,b\n", {.format = kCsv, .text_column = "0"}, {"no column \"0\""});
}

TEST(Table, WithoutAHeaderColumnsAreNumbers) {
  const ReadBack read = ReadTable("a\tb\nc\td\n", {.format = kTsv, .text_column = "2", .header = false});
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.rows[0].text, "b");
  EXPECT_EQ(read.rows[0].line, 1);
  EXPECT_EQ(read.rows[1].text, "d");
  EXPECT_THAT(read.columns, IsEmpty());
  EXPECT_EQ(ReadTable("only\n", {.format = kCsv, .header = false}).rows[0].text, "only");
  ExpectUsageError("a,b\n", {.format = kCsv, .header = false}, {"which of the 2 columns"});
  ExpectUsageError("a,b\n", {.format = kCsv, .text_column = "text", .header = false},
                   {"a number from 1 to 2, found \"text\""});
  EXPECT_EQ(Rewrite("a,b\n", {.format = kCsv, .text_column = "2", .header = false}), "a,b,POS,0.75,0.25,0.75,\n");
}

TEST(Table, AnEmptyFileHasNoHeader) {
  ExpectUsageError("", {.format = kCsv}, {"rows: expected a header, found an empty file"});
  ExpectUsageError("", {.format = kTsv}, {"rows: expected a header, found an empty file"});
  EXPECT_THAT(ReadTable("", {.format = kCsv, .header = false}).rows, IsEmpty());
  EXPECT_THAT(ReadTable("", {.format = kTsv, .header = false}).rows, IsEmpty());
  EXPECT_THAT(ReadTable("", {.format = kJsonl}).rows, IsEmpty());
  EXPECT_THAT(ReadTable("", {.format = kText}).rows, IsEmpty());
}

TEST(Table, RefusesMoreColumnsThanMemoryShouldHold) {
  const std::string commas(2 * kMaxColumns, ',');
  const std::string tabs(2 * kMaxColumns, '\t');
  ExpectUsageError("text" + commas + "\n", {.format = kCsv}, {"rows: more than 10000 columns"});
  ExpectUsageError("text" + tabs + "\n", {.format = kTsv}, {"rows: more than 10000 columns"});
  ExpectUsageError(commas + "\n", {.format = kCsv, .header = false}, {"rows: more than 10000 columns"});
  const ReadBack read = ReadTable("id,text\n" + commas + "\n1,good\n", {.format = kCsv});
  EXPECT_EQ(read.rows[0].error, "expected 2 columns, found 10001");
  EXPECT_EQ(read.rows[1].text, "good");
}

// --- csv ---

TEST(CsvTable, KeepsColumnsAndAppendsThePrediction) {
  EXPECT_EQ(Rewrite("id,text\n1,good\n", {.format = kCsv}),
            "id,text,label,score,score_NEG,score_POS,error\n1,good,POS,0.75,0.25,0.75,\n");
}

TEST(CsvTable, ReadsQuotedFieldsAndTheLineARecordBeginsIn) {
  const std::string bytes = "id,text\r\n1,\"Two\nlines, \"\"awful\"\"\"\r\n2,  spaces  \r\n\r\n3,last";
  const ReadBack read = ReadTable(bytes, {.format = kCsv});
  ASSERT_EQ(read.rows.size(), 3u);
  EXPECT_EQ(read.rows[0].text, "Two\nlines, \"awful\"");
  EXPECT_EQ(read.rows[0].line, 2);
  EXPECT_EQ(read.rows[0].kept, "1,\"Two\nlines, \"\"awful\"\"\"");
  EXPECT_EQ(read.rows[1].text, "  spaces  ");
  EXPECT_EQ(read.rows[1].line, 4);
  EXPECT_EQ(read.rows[2].text, "last");
  EXPECT_EQ(read.rows[2].line, 6);
}

TEST(CsvTable, ARowOfAnotherWidthIsBadAndStaysInItsColumns) {
  EXPECT_EQ(Rewrite("id,text\n1\n2,a,b\n3,good\n", {.format = kCsv}),
            "id,text,label,score,score_NEG,score_POS,error\n"
            "1,,,,,,\"expected 2 columns, found 1\"\n"
            "2,a,,,,,\"expected 2 columns, found 3\"\n"
            "3,good,POS,0.75,0.25,0.75,\n");
}

TEST(CsvTable, AQuoteLeftOpenIsOneBadRow) {
  std::string bytes = "id,text\n1,good\n2,\"open\n";
  for (int i = 0; i < 1000; ++i) bytes += "3,swallowed\n";
  const ReadBack read = ReadTable(bytes, {.format = kCsv, .max_row_bytes = 1000});
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.rows[0].error, "");
  EXPECT_EQ(read.rows[1].line, 3);
  EXPECT_THAT(read.rows[1].error, AllOf(HasSubstr("longer than 1000 bytes"), HasSubstr("quote")));
  EXPECT_EQ(read.rows[1].kept, ",");
}

// A header, and a field that is never closed; nothing of it lies in memory.
class OpenQuoteSource final : public ByteSource {
 public:
  explicit OpenQuoteSource(int64_t size) : size_(size) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    if (given_ >= size_) return 0;
    static constexpr std::string_view kBegin = "id,text\n1,\"";
    for (size_t i = 0; i < buffer.size(); ++i, ++given_) {
      const auto at = static_cast<size_t>(given_);
      buffer[i] = at < kBegin.size() ? kBegin[at] : at % 80 == 0 ? '\n' : 'x';
    }
    return buffer.size();
  }
  int64_t bytes_read() const override { return given_; }
  int64_t total_bytes() const override { return size_; }

 private:
  const int64_t size_;
  int64_t given_ = 0;
};

int64_t PeakMemoryBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

TEST(CsvTable, AQuoteLeftOpenDoesNotFillTheMemory) {
  constexpr int64_t kMiB = 1 << 20;
  auto table = OpenTable(std::make_unique<OpenQuoteSource>(64 * kMiB), "rows", {.format = kCsv, .max_row_bytes = kMiB});
  ASSERT_TRUE(table.ok()) << table.status();
  const int64_t before = PeakMemoryBytes();
  Row row;
  ASSERT_TRUE((*table)->Next(row).value());
  EXPECT_THAT(row.error, HasSubstr("longer than"));
  EXPECT_FALSE((*table)->Next(row).value());
  EXPECT_LT(PeakMemoryBytes() - before, 32 * kMiB);
}

TEST(CsvTable, ALongRecordIsSkippedAndTheNextOneRead) {
  const std::string quoted = "1,\"" + std::string(600, 'x') + "\n" + std::string(600, 'y') + "\"\n";
  const std::string one_line = "2," + std::string(2000, 'z') + "\n";
  const ReadBack read =
      ReadTable("id,text\n" + quoted + one_line + "3,good\n", {.format = kCsv, .max_row_bytes = 1000});
  ASSERT_EQ(read.rows.size(), 3u);
  EXPECT_THAT(read.rows[0].error, HasSubstr("longer than 1000 bytes"));
  EXPECT_EQ(read.rows[0].line, 2);
  EXPECT_THAT(read.rows[1].error, HasSubstr("longer than 1000 bytes"));
  EXPECT_EQ(read.rows[1].line, 4);
  EXPECT_EQ(read.rows[2].error, "");
  EXPECT_EQ(read.rows[2].text, "good");
}

TEST(CsvTable, OtherColumnsNeedNotBeUtf8) {
  const ReadBack read = ReadTable("id,text\n\xFF,good\n2,\xFF\n", {.format = kCsv});
  EXPECT_EQ(read.rows[0].error, "");
  EXPECT_EQ(read.rows[0].kept, "\xFF,good");
  EXPECT_THAT(read.rows[1].error, HasSubstr("not valid UTF-8 at byte 0"));
}

// --- tsv ---

TEST(TsvTable, IsRaw) {
  const ReadBack read = ReadTable("id\ttext\r\n1\t\"quoted\", kept\r\n", {.format = kTsv});
  ASSERT_EQ(read.rows.size(), 1u);
  EXPECT_EQ(read.rows[0].text, "\"quoted\", kept");
  EXPECT_EQ(read.rows[0].kept, "1\t\"quoted\", kept");
}

TEST(TsvTable, ARowOfAnotherWidthIsBadAndStaysInItsColumns) {
  EXPECT_EQ(Rewrite("id\ttext\n1\n2\ta\tb\n3\tgood\n", {.format = kTsv}),
            "id\ttext\tlabel\tscore\tscore_NEG\tscore_POS\terror\n"
            "1\t\t\t\t\t\texpected 2 columns, found 1\n"
            "2\ta\t\t\t\t\texpected 2 columns, found 3\n"
            "3\tgood\tPOS\t0.75\t0.25\t0.75\t\n");
}

TEST(TsvTable, ALongRowIsBadAndStaysInItsColumns) {
  const std::string bytes = "id\ttext\n1\t" + std::string(100, 'x') + "\n2\tgood\n";
  const ReadBack read = ReadTable(bytes, {.format = kTsv, .max_row_bytes = 50});
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.rows[0].error, "longer than 50 bytes");
  EXPECT_EQ(read.rows[0].kept, "\t");
  EXPECT_EQ(read.rows[1].text, "good");
}

// --- Labels: for whoever asks ---

std::vector<std::string> LabelsOf(const ReadBack& read) {
  EXPECT_EQ(read.status, absl::OkStatus());
  std::vector<std::string> labels;
  for (const Row& row : read.rows) labels.push_back(row.error.empty() ? row.label : "error: " + row.error);
  return labels;
}

TEST(TableLabels, ComeFromTheColumnOfThatNameOrTheOneWanted) {
  EXPECT_THAT(LabelsOf(ReadTable("text,label\ngood,POS\nbad,neg\n", {.format = kCsv, .labels = true})),
              ElementsAre("POS", "neg"));
  EXPECT_THAT(LabelsOf(ReadTable("text\tlabel\tgold\ngood\tx\tPOS\n",
                                 {.format = kTsv, .labels = true, .label_column = "gold"})),
              ElementsAre("POS"));
  EXPECT_THAT(
      LabelsOf(ReadTable("NEG\tbad\n",
                         {.format = kTsv, .text_column = "2", .header = false, .labels = true, .label_column = "1"})),
      ElementsAre("NEG"));
  EXPECT_THAT(
      LabelsOf(ReadTable("NEG,bad\n",
                         {.format = kCsv, .text_column = "2", .header = false, .labels = true, .label_column = "1"})),
      ElementsAre("NEG"));
}

TEST(TableLabels, AreNotThereWithoutSuchAColumn) {
  for (const TableFormat format : {kCsv, kTsv}) {
    const std::string bytes = format == kCsv ? "text,id\ngood,1\n" : "text\tid\ngood\t1\n";
    const auto table = OpenTable(MemoryByteSource(bytes, "rows"), "rows", {.format = format, .labels = true});
    ASSERT_TRUE(table.ok());
    EXPECT_FALSE((*table)->has_labels());
  }
  const auto unasked = OpenTable(MemoryByteSource("text,label\ngood,POS\n", "rows"), "rows", {.format = kCsv});
  ASSERT_TRUE(unasked.ok());
  EXPECT_FALSE((*unasked)->has_labels());
}

TEST(TableLabels, NameTheColumnsWhereTheOneWantedIsMissing) {
  ExpectUsageError("text,id\na,1\n", {.format = kCsv, .labels = true, .label_column = "gold"},
                   {"there is no column \"gold\"", "text, id"});
  ExpectUsageError("a\tb\n", {.format = kTsv, .text_column = "1", .header = false, .labels = true, .label_column = "3"},
                   {"--label-column is a number from 1 to 2", "\"3\""});
}

TEST(TableLabels, OfJsonlAreNamesOrIds) {
  const std::string rows =
      "{\"text\":\"a\",\"label\":\"POS\"}\n{\"text\":\"b\",\"label\":2}\n{\"text\":\"c\",\"label\":1.5}\n{\"text\":"
      "\"d\"}\n";
  EXPECT_THAT(LabelsOf(ReadTable(rows, {.format = kJsonl, .labels = true})),
              ElementsAre("POS", "2", AllOf(HasSubstr("error: label"), HasSubstr("a string or an integer")),
                          AllOf(HasSubstr("error: label"), HasSubstr("missing"))));
  EXPECT_THAT(LabelsOf(ReadTable("{\"text\":\"a\"}\n", {.format = kJsonl, .labels = true, .label_column = "gold"})),
              ElementsAre(AllOf(HasSubstr("gold"), HasSubstr("missing"))));
}

// --- jsonl ---

TEST(JsonlTable, KeepsMembersAsTheyWereWritten) {
  EXPECT_EQ(
      Rewrite(" {\"text\":\"g\\u006fod\", \"n\": 1.0} \r\n", {.format = kJsonl}),
      "{\"text\":\"g\\u006fod\", \"n\": 1.0,\"label\":\"POS\",\"score\":0.75,\"scores\":{\"NEG\":0.25,\"POS\":0.75},"
      "\"error\":null}\n");
}

TEST(JsonlTable, BadRowsKeepTheirPlaceAndSayWhy) {
  const ReadBack read = ReadTable(
      "{\"text\":\"good\"}\n{broken\n{\"id\":3}\n{\"text\":\"\xFF\"}\n{\"text\":\"  \"}\n{\"text\":7}\n[1]\n\n"
      "{\"text\":\"a\",\"text\":\"b\"}\n{}\n{\"text\":\"\\ud800\"}\n{\"text\":null}\n",
      {.format = kJsonl});
  std::vector<std::string> errors;
  for (const Row& row : read.rows) errors.push_back(row.error);
  EXPECT_THAT(errors,
              ElementsAre("", HasSubstr("not JSON"), "text: missing", HasSubstr("not valid UTF-8"), "the text is blank",
                          "text: expected a string, found the integer 7", "expected an object, found an array of 1",
                          HasSubstr("empty"), HasSubstr("given twice"), "text: missing", HasSubstr("surrogate"),
                          "text: expected a string, found null"));
  EXPECT_EQ(read.rows[11].line, 12);
}

TEST(JsonlTable, BadRowsAreObjectsWithTheirMembersWhereTheyHaveAny) {
  const std::string empty = "\"label\":null,\"score\":null,\"scores\":null,\"error\":\"";
  EXPECT_EQ(Rewrite("\n{\"id\":3,\"text\":\"\"}\n{}\n", {.format = kJsonl}),
            "{" + empty + "empty where JSON was expected\"}\n" + "{\"id\":3,\"text\":\"\"," + empty +
                "the text is empty\"}\n{" + empty + "text: missing\"}\n");
}

TEST(JsonlTable, TheFirstObjectDecidesWhichMemberIsTheText) {
  const ReadBack read =
      ReadTable("{broken\n{}\n{\"review\":\"good\"}\n{\"review\":\"bad\",\"text\":\"x\"}\n", {.format = kJsonl});
  EXPECT_EQ(read.status, absl::OkStatus());
  EXPECT_EQ(read.rows[2].text, "good");
  EXPECT_EQ(read.rows[3].text, "bad");
}

TEST(JsonlTable, ALongRowIsBad) {
  const ReadBack read = ReadTable("{\"text\":\"" + std::string(100, 'x') + "\"}\n{\"text\":\"good\"}\n",
                                  {.format = kJsonl, .max_row_bytes = 50});
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.rows[0].error, "longer than 50 bytes");
  EXPECT_EQ(read.rows[1].text, "good");
}

// --- text ---

TEST(TextTable, PutsLabelAndScoreBeforeTheText) {
  EXPECT_EQ(Rewrite("good\tday\r\n\nbad\n", {.format = kText}), "POS\t0.75\tgood\tday\n\t\t\nPOS\t0.75\tbad\n");
  EXPECT_EQ(ReadTable("a\n \n", {.format = kText}).rows[1].error, "the text is blank");
}

TEST(TextTable, LinesAsJson) {
  EXPECT_EQ(Rewrite("say \"good\"\n\xFF\n", {.format = kText, .lines_as_json = true}),
            "{\"text\":\"say "
            "\\\"good\\\"\",\"label\":\"POS\",\"score\":0.75,\"scores\":{\"NEG\":0.25,\"POS\":0.75},\"error\":null}\n"
            "{\"text\":null,\"label\":null,\"score\":null,\"scores\":null,\"error\":\"not valid UTF-8 at byte 0\"}\n");
}

// --- names that clash ---

TEST(TableWriter, ANameThatIsTakenBecomesPred) {
  EXPECT_EQ(Rewrite("label\ttext\tscore_POS\nold\tgood\t1\n", {.format = kTsv}),
            "label\ttext\tscore_POS\tpred_label\tscore\tscore_NEG\tpred_score_POS\terror\n"
            "old\tgood\t1\tPOS\t0.75\t0.25\t0.75\t\n");
  EXPECT_THAT(Rewrite("{\"text\":\"good\",\"label\":\"old\",\"pred_label\":1}\n", {.format = kJsonl}),
              HasSubstr("\"pred_label\":1,\"pred_pred_label\":\"POS\",\"score\":0.75"));
}

TEST(TableWriter, LabelsAreQuotedAsTheFormatNeedsIt) {
  const std::vector<std::string> labels = {"so, so", "a\tb"};
  EXPECT_EQ(MakeTableWriter(kCsv, true, {"text"}, labels)->Header(),
            "text,label,score,\"score_so, so\",score_a\tb,error\n");
  EXPECT_EQ(MakeTableWriter(kTsv, true, {"text"}, labels)->Header(),
            "text\tlabel\tscore\tscore_so, so\tscore_a b\terror\n");
}

TEST(TableWriter, FloatsReadBackToTheSameBits) {
  const auto writer = MakeTableWriter(kText, false, {}, {"A"});
  for (const float score : {0.1f, 1.0f / 3, 1e-20f, 0.99999994f, 1.0f}) {
    std::string out;
    const RowScores scores{0, {score}};
    writer->Append({.kept = "t"}, &scores, out);
    EXPECT_EQ(std::stof(out.substr(2)), score) << out;
  }
}

}  // namespace
}  // namespace ks
