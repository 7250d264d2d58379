// Joining and converting strings.
//
// Debian builds Abseil with its own absl::string_view; our interfaces use std::string_view. The two meet here.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace ks {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

namespace internal {
template <typename T>
decltype(auto) CatPiece(const T& piece) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return ToAbsl(piece);
  } else {
    return (piece);
  }
}
}  // namespace internal

// Concatenates strings and numbers: Cat("T = ", 12, ", limit ", limit).
template <typename... Pieces>
std::string Cat(const Pieces&... pieces) {
  return absl::StrCat(internal::CatPiece(pieces)...);
}

}  // namespace ks
