// Tested by text_check_test.cc.
#include "serving/text_check.h"

#include "base/strings.h"
#include "base/utf8.h"
#include "engine/error.h"

namespace ks {
absl::Status CheckText(std::string_view path, std::string_view text, int max_chars) {
  if (text.empty()) return MakeError(ErrorCode::kTextEmpty, Cat(path, " is empty"));
  const size_t chars = CountCodePoints(text);
  if (chars > static_cast<size_t>(max_chars)) {
    return MakeError(ErrorCode::kTextTooLong,
                     Cat(path, " has ", chars, " characters, the limit is ", max_chars, " (max-text-chars)"));
  }
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return MakeError(ErrorCode::kInvalidInput,
                     Cat(path, " holds a NUL at character ", CountCodePoints(text.substr(0, nul))));
  }
  if (IsBlank(text))
    return MakeError(ErrorCode::kTextEmpty, Cat(path, " is blank: ", chars, " characters of white space"));
  return absl::OkStatus();
}

}  // namespace ks
