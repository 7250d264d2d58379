// What a text must be before it reaches the engine, the same for every protocol.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace ks {

// Checks valid UTF-8 `text`, which `path` names in the message ("text", "texts[3]").
// Errors, by CodeOf: kTextEmpty (empty, or white space alone), kTextTooLong (more than `max_chars` code points, both
// numbers in the message), kInvalidInput (a NUL, with its position). Linear in the text.
absl::Status CheckText(std::string_view path, std::string_view text, int max_chars);

// The characters that count as blank, as the inside of a bracket expression of ECMAScript regular expressions:
// Unicode's White_Space. For documents that describe CheckText.
inline constexpr std::string_view kBlankCharacterClass =
    R"(\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000)";

}  // namespace ks
