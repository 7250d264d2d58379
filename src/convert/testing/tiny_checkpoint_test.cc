#include "convert/testing/tiny_checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/testing/temp_directory.h"
#include "checkpoint/checkpoint.h"
#include "model/weights.h"

namespace ks {
namespace {

std::vector<float> Values(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView* tensor = checkpoint.Find(name);
  if (tensor == nullptr) return {};
  std::vector<float> values(tensor->elements());
  EXPECT_TRUE(ToFloat32(*tensor, 0, values).ok());
  return values;
}

TEST(TinyCheckpoint, HoldsTheSameModelInEveryForm) {
  const TempDirectory temp;
  const std::filesystem::path root = temp / "checkpoint";
  for (const Architecture architecture : {Architecture::kBert, Architecture::kDistilBert}) {
    const TinyCheckpointOptions plain = {.architecture = architecture};
    std::vector<TinyCheckpointOptions> forms(3, plain);
    forms[1].dtype = DType::kF16;
    forms[1].shards = 3;
    forms[2].dtype = DType::kBF16;
    std::vector<Checkpoint> checkpoints;
    for (const TinyCheckpointOptions& options : forms) {
      std::filesystem::remove_all(root);
      ASSERT_TRUE(WriteTinyCheckpoint(root, options).ok());
      auto checkpoint = Checkpoint::Open(root);
      ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
      EXPECT_EQ(checkpoint->files().size(), static_cast<size_t>(options.shards));
      checkpoints.push_back(*std::move(checkpoint));
    }
    for (const TensorSpec& tensor : ExpectedTensors(TinySpec(plain))) {
      const std::vector<float> values = Values(checkpoints[0], tensor.name);
      ASSERT_FALSE(values.empty()) << tensor.name;
      EXPECT_EQ(Values(checkpoints[1], tensor.name), values) << tensor.name;
      EXPECT_EQ(Values(checkpoints[2], tensor.name), values) << tensor.name;
    }
  }
}

TEST(TinyCheckpoint, HasATokenizerAsLargeAsItsEmbedding) {
  const auto document = JsonDocument::Parse(TinyTokenizerJson(), "tokenizer.json");
  ASSERT_TRUE(document.ok()) << document.status();
  const auto model = document->root().AsObject()->Require("model")->AsObject();
  const auto vocabulary = model->Require("vocab")->AsObject();
  EXPECT_EQ(static_cast<int>(vocabulary->members().size()), TinySpec().encoder.vocab_size);
}

}  // namespace
}  // namespace ks
