// Our tokeniser, timed as src/main.rs times the reference: same arguments, same files.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "text/tokenizer.h"

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "tokenizer_ours: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: tokenizer_ours TOKENIZER_JSON TEXTS ids|offsets DUMP\n");
    return 2;
  }
  const ks::EncodeOptions options{.with_offsets = std::strcmp(argv[3], "offsets") == 0};
  const absl::StatusOr<std::string> json = ks::ReadFile(argv[1], 64 << 20);
  if (!json.ok()) return Fail(json.status());
  const absl::StatusOr<ks::Tokenizer> tokenizer = ks::Tokenizer::FromJson(*json, argv[1]);
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  const absl::StatusOr<std::string> file = ks::ReadFile(argv[2], 1 << 30);
  if (!file.ok()) return Fail(file.status());
  std::vector<std::string> texts;
  for (size_t pos = 0; pos < file->size();) {
    uint32_t size;
    std::memcpy(&size, file->data() + pos, sizeof(size));
    texts.push_back(file->substr(pos + sizeof(size), size));
    pos += sizeof(size) + size;
  }

  std::string numbers;
  ks::Encoding encoding;
  const auto append = [&](const auto& values) {
    numbers.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  for (const std::string& text : texts) {
    if (const absl::Status status = tokenizer->Encode(text, options, encoding); !status.ok()) return Fail(status);
    append(encoding.ids);
    append(encoding.offsets);
  }
  std::FILE* dump = std::fopen(argv[4], "wb");
  if (dump == nullptr || std::fwrite(numbers.data(), 1, numbers.size(), dump) != numbers.size() ||
      std::fclose(dump) != 0) {
    return Fail(absl::InternalError("the dump could not be written"));
  }

  const auto start = std::chrono::steady_clock::now();
  size_t tokens = 0;
  for (const std::string& text : texts) {
    if (!tokenizer->Encode(text, options, encoding).ok()) return 1;
    tokens += encoding.ids.size();
  }
  const std::chrono::nanoseconds elapsed = std::chrono::steady_clock::now() - start;
  if (tokens == 0) return 1;
  std::printf("%lld\n", static_cast<long long>(elapsed.count()));
}
