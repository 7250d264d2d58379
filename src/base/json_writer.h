// Writes JSON, compact, in the order of the calls.
//
//   JsonWriter json;
//   json.BeginObject().Key("label").String("POSITIVE").Key("score").Float(0.5f).EndObject();
//   std::move(json).Take();   // {"label":"POSITIVE","score":0.5}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ks {

// Commas and colons are placed by the writer; that Begin and End match is the caller's part. Strings must be valid
// UTF-8; control characters, quotes and backslashes are escaped. Numbers are the shortest decimals that read back to
// the same bits (std::to_chars); NaN and infinities, which JSON lacks, become null.
class JsonWriter {
 public:
  JsonWriter() { text_.reserve(kUsualBytes); }
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Float(float value);
  JsonWriter& Double(double value);
  // Fixed decimals, for times and rates that people read.
  JsonWriter& Fixed(double value, int decimals);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  // A value that is JSON already.
  JsonWriter& Raw(std::string_view json);

  const std::string& text() const& { return text_; }
  std::string Take() && { return std::move(text_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  static constexpr size_t kUsualBytes = 512;  // of an answer: it need not grow on the way
  std::string text_;
  bool comma_ = false;  // the next value or key follows another
};

// The same JSON for people: two spaces a level, one member or element a line, but an array without arrays and objects
// inside on one line. Requires valid JSON without whitespace between tokens, as JsonWriter makes it.
std::string IndentJson(std::string_view json);

// Appends `value` as a quoted JSON string.
void AppendJsonString(std::string_view value, std::string& out);

}  // namespace ks
