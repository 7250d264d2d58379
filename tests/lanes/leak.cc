// Planted: forgets the only pointer to a block. LeakSanitizer must report it at exit.
#include <cstring>

namespace {

char* volatile last_block = nullptr;

}  // namespace

int main() {
  // Several blocks, so that one whose address lingers in a register or on the stack does not hide the rest.
  for (int i = 0; i < 16; ++i) {
    last_block = new char[64];
    std::memset(last_block, i, 64);
  }
  last_block = nullptr;
}
