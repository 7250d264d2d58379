// make_tiny_checkpoint DIR [bert|distilbert] [SEED]: a small random checkpoint for tests in other languages.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "convert/testing/tiny_checkpoint.h"

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fputs("usage: make_tiny_checkpoint DIR [bert|distilbert] [SEED]\n", stderr);
    return 2;
  }
  ks::TinyCheckpointOptions options;
  if (argc > 2 && std::string_view(argv[2]) == "distilbert") options.architecture = ks::Architecture::kDistilBert;
  if (argc > 3) options.seed = std::strtoull(argv[3], nullptr, 10);
  const absl::Status status = ks::WriteTinyCheckpoint(argv[1], options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
  return 3;
}
