// The configuration file: flat TOML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ks {

struct ConfigFileEntry {
  enum class Type { kString, kInteger, kFraction, kBoolean, kOther };

  std::string key;
  Type type = Type::kOther;
  std::string text;  // the value as an option's text; of kOther what it is: "an array", "a table"
  int line = 0;      // from 1
};

// The entries of the file `text` in its order. `name` begins the messages.
// Errors: kInvalidArgument with line and column (TOML syntax, a key given twice).
absl::StatusOr<std::vector<ConfigFileEntry>> ParseConfigFile(std::string_view text, std::string_view name);

}  // namespace ks
