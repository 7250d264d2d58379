// UTF-8: validation, counting, decoding. RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ks {

// The byte offset of the first byte that is not part of a valid sequence, or nullopt if all of `text` is valid UTF-8.
std::optional<size_t> FindInvalidUtf8(std::string_view text);

// Number of code points in valid UTF-8.
size_t CountCodePoints(std::string_view text);

// Decodes the code point at `pos` of valid UTF-8 and moves `pos` past it. Requires pos < text.size().
char32_t NextCodePoint(std::string_view text, size_t& pos);

// Whether valid UTF-8 holds nothing but Unicode's White_Space; true for an empty text.
bool IsBlank(std::string_view text);

// Whether all of `text` is ASCII from the blank to the tilde; true for an empty text.
bool IsPrintableAscii(std::string_view text);

// Appends `code_point` (a scalar value) to `out`.
void AppendUtf8(char32_t code_point, std::string& out);

}  // namespace ks
