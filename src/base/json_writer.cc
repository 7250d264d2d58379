#include "base/json_writer.h"

#include <charconv>
#include <cmath>

namespace ks {
namespace {

template <typename... Args>
void AppendNumber(std::string& out, Args... args) {
  char buffer[352];  // the longest double in fixed notation fits
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), args...);
  out.append(buffer, result.ptr);
}

}  // namespace

void AppendJsonString(std::string_view value, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  size_t start = 0;  // of the run that needs no escape
  for (size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
    out.append(value, start, i - start);
    start = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.append(value, start);
  out.push_back('"');
}

void JsonWriter::Separate() {
  if (comma_) text_.push_back(',');
  comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  text_.push_back(bracket);
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  text_.push_back(bracket);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendJsonString(key, text_);
  text_.push_back(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  AppendJsonString(value, text_);
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t value) {
  Separate();
  AppendNumber(text_, value);
  return *this;
}

JsonWriter& JsonWriter::Float(float value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(text_, value);
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(text_, value);
  return *this;
}

JsonWriter& JsonWriter::Fixed(double value, int decimals) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(text_, value, std::chars_format::fixed, decimals);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) { return Raw(value ? "true" : "false"); }

JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  text_ += json;
  return *this;
}

namespace {

// The position after the string that begins at `pos` of valid JSON.
size_t EndOfString(std::string_view json, size_t pos) {
  for (++pos; json[pos] != '"'; ++pos) {
    if (json[pos] == '\\') ++pos;
  }
  return pos + 1;
}

// Whether the array that begins at `pos` holds no array or object.
bool IsFlat(std::string_view json, size_t pos) {
  for (++pos; json[pos] != ']';) {
    if (json[pos] == '[' || json[pos] == '{') return false;
    pos = json[pos] == '"' ? EndOfString(json, pos) : pos + 1;
  }
  return true;
}

}  // namespace

std::string IndentJson(std::string_view json) {
  std::string out;
  size_t depth = 0;
  bool inside_flat = false;
  const auto new_line = [&] { out.append("\n").append(2 * depth, ' '); };
  for (size_t pos = 0; pos < json.size();) {
    const char c = json[pos];
    if (c == '"') {
      const size_t end = EndOfString(json, pos);
      out.append(json, pos, end - pos);
      pos = end;
      continue;
    }
    if (c == '{' || c == '[') {
      inside_flat = c == '[' && IsFlat(json, pos);
      const bool empty = json[pos + 1] == '}' || json[pos + 1] == ']';
      out.push_back(c);
      ++depth;
      if (!inside_flat && !empty) new_line();
    } else if (c == '}' || c == ']') {
      --depth;
      const bool empty = json[pos - 1] == '{' || json[pos - 1] == '[';
      if (!inside_flat && !empty) new_line();
      inside_flat = false;
      out.push_back(c);
    } else if (c == ',') {
      out.push_back(c);
      if (inside_flat) {
        out.push_back(' ');
      } else {
        new_line();
      }
    } else if (c == ':') {
      out += ": ";
    } else {
      out.push_back(c);
    }
    ++pos;
  }
  return out;
}

}  // namespace ks
