// Planted: reads one element past an array on the heap. AddressSanitizer must report it.
#include <memory>

int main(int argc, char**) {
  const auto values = std::make_unique<int[]>(4);
  return values[static_cast<unsigned>(argc) + 3];
}
