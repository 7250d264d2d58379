#include "base/sha256.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/testing/temp_directory.h"

namespace ks {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, MatchesThePublishedDigests) {
  EXPECT_EQ(Sha256Hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex(std::as_bytes(std::span("abc", 3))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, OfPiecesEqualsThatOfTheWhole) {
  Sha256 hasher;
  hasher.Update(std::as_bytes(std::span("ab", 2)));
  hasher.Update({});
  hasher.Update(std::as_bytes(std::span("c", 1)));
  EXPECT_EQ(std::move(hasher).FinishHex(), Sha256Hex(std::as_bytes(std::span("abc", 3))));
}

TEST(Sha256, OfAFileEqualsThatOfItsBytes) {
  const TempDirectory directory;
  const std::filesystem::path path = directory / "content.bin";
  const std::string content(3'000'001, 'x');  // more than two blocks
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(*Sha256HexOfFile(path), Sha256Hex(std::as_bytes(std::span(content))));
  EXPECT_EQ(Sha256HexOfFile("/nonexistent").status().code(), absl::StatusCode::kNotFound);
  std::stop_source stop;
  EXPECT_TRUE(Sha256HexOfFile(path, stop.get_token()).ok());
  stop.request_stop();
  EXPECT_EQ(Sha256HexOfFile(path, stop.get_token()).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace ks
