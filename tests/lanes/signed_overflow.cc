// Planted: adds past the largest int. UndefinedBehaviorSanitizer must report it and end the program.
#include <limits>

int main(int argc, char**) {
  const int sum = std::numeric_limits<int>::max() + argc;
  return sum == 0 ? 1 : 0;
}
