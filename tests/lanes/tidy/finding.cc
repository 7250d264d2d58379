// Planted: uses a string after moving it away, in a function whose name breaks the house style. clang-tidy must report
// both.
#include <cstddef>
#include <string>
#include <utility>

std::size_t badly_Named(std::string text) {
  const std::string moved = std::move(text);
  return moved.size() + text.size();
}
