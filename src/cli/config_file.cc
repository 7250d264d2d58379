// The adapter over toml++, whose types stop here. Header-only and without exceptions: no shared library to load at
// start. Tested by config_test.cc.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0

#include "cli/config_file.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/status.h"
#include "toml++/toml.h"

namespace ks {
namespace {

ConfigFileEntry MakeEntry(std::string_view key, const toml::node& node) {
  ConfigFileEntry entry;
  entry.key = key;
  entry.line = static_cast<int>(node.source().begin.line);
  if (const auto* text = node.as_string()) {
    entry.type = ConfigFileEntry::Type::kString;
    entry.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    entry.type = ConfigFileEntry::Type::kInteger;
    entry.text = Cat(number->get());
  } else if (const auto* fraction = node.as_floating_point()) {
    entry.type = ConfigFileEntry::Type::kFraction;
    std::array<char, 32> shortest;
    entry.text.assign(shortest.data(),
                      std::to_chars(shortest.data(), shortest.data() + shortest.size(), fraction->get()).ptr);
  } else if (const auto* flag = node.as_boolean()) {
    entry.type = ConfigFileEntry::Type::kBoolean;
    entry.text = flag->get() ? "true" : "false";
  } else {
    entry.text = node.is_table() ? "a table" : node.is_array() ? "an array" : "a date";
  }
  return entry;
}

}  // namespace

absl::StatusOr<std::vector<ConfigFileEntry>> ParseConfigFile(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const toml::source_position where = parsed.error().source().begin;
    return InvalidArgument(name, ":", where.line, ":", where.column, ": ", parsed.error().description());
  }
  std::vector<ConfigFileEntry> entries;
  for (const auto& [key, node] : parsed.table()) entries.push_back(MakeEntry(key.str(), node));
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return entries;
}

}  // namespace ks
