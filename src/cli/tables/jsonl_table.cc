// A line is a JSON object. It is kept byte for byte, so that numbers and escapes stay as they were written; what is
// appended goes in front of its closing brace. Tested by table_test.cc.
#include <algorithm>

#include "base/json.h"
#include "base/status_macros.h"
#include "cli/tables/columns.h"
#include "cli/tables/line_reader.h"
#include "cli/tables/line_tables.h"

namespace ks {
namespace {

class JsonlTable final : public TableReader {
 public:
  JsonlTable(std::unique_ptr<ByteSource> source, std::string name, const TableOptions& options)
      : lines_(std::move(source), options.max_row_bytes), name_(std::move(name)), options_(options) {
    text_member_ = options_.text_column;
    if (options_.labels) label_member_ = options_.label_column;
    has_labels_ = label_member_.has_value();
  }

  absl::StatusOr<bool> Next(Row& row) override {
    Line line;
    KS_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
    if (!more) return false;
    row.line = line.number;
    row.kept = "{";
    row.members.clear();
    row.error.clear();
    if (line.too_long) {
      row.error = Cat("longer than ", options_.max_row_bytes, " bytes");
      return true;
    }
    const auto document = JsonDocument::Parse(line.text, "", {.max_bytes = options_.max_row_bytes});
    const auto object = document.ok() ? document->root().AsObject() : document.status();
    if (!object.ok()) {
      row.error = ToStd(object.status().message());
      return true;
    }
    // The object is the whole line, so its last brace is the line's last.
    row.kept = line.text.substr(line.text.find('{'), line.text.rfind('}') - line.text.find('{'));
    for (const auto& member : object->members()) row.members.emplace_back(member.key);
    if (!chosen_) KS_RETURN_IF_ERROR(ChooseMembers(row.members));
    ReadText(*object, row);
    if (label_member_ && row.error.empty()) ReadLabel(*object, row);
    return true;
  }
  const ByteSource& source() const override { return lines_.source(); }

 private:
  absl::Status ChooseMembers(const std::vector<std::string>& members) {
    if (members.empty()) return absl::OkStatus();  // says nothing about the others
    chosen_ = true;
    if (!text_member_) {
      KS_ASSIGN_OR_RETURN(const size_t index, FindTextColumn(members, std::nullopt, name_));
      text_member_ = members[index];
    }
    if (options_.labels && !label_member_ && std::ranges::count(members, "label") > 0) label_member_ = "label";
    has_labels_ = label_member_.has_value();
    return absl::OkStatus();
  }

  void ReadText(const JsonObject& object, Row& row) const {
    const std::string_view member = text_member_ ? std::string_view(*text_member_) : "text";
    const auto value = object.Require(member);
    const auto text = value.ok() ? value->AsString() : value.status();
    if (!text.ok()) {
      row.error = ToStd(text.status().message());
      return;
    }
    row.text = *text;
    row.error = TextProblem(row.text);
  }

  // A name, or an id as a number.
  void ReadLabel(const JsonObject& object, Row& row) const {
    const auto value = object.Require(*label_member_);
    if (!value.ok()) {
      row.error = ToStd(value.status().message());
      return;
    }
    if (const auto text = value->AsString(); text.ok()) {
      row.label = *text;
    } else if (const auto id = value->AsInt(); id.ok()) {
      row.label = Cat(*id);
    } else {
      row.error = ToStd(value->Unexpected("a string or an integer").message());
    }
  }

  LineReader lines_;
  const std::string name_;
  const TableOptions options_;
  bool chosen_ = false;  // an object that has members has decided
  std::optional<std::string> text_member_;
  std::optional<std::string> label_member_;  // nothing where rows have no labels
};

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> OpenJsonlTable(std::unique_ptr<ByteSource> source, std::string name,
                                                            const TableOptions& options) {
  return std::make_unique<JsonlTable>(std::move(source), std::move(name), options);
}

}  // namespace ks
