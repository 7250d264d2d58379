#include "convert/testing/tiny_checkpoint.h"

#include <bit>
#include <fstream>
#include <random>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "model/weights.h"

namespace ks {
namespace {

constexpr const char* kWords[] = {"the",  "a",     "this", "movie",  "film", "is",    "was",  "not",
                                  "good", "great", "bad",  "awful",  "love", "hate",  "it",   "i",
                                  "and",  "but",   "very", "really", "best", "worst", "of",   "all",
                                  "time", "##s",   "##ed", "##ing",  "##ly", "##er",  "##est"};

// Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then words and characters.
std::vector<std::string> Vocabulary() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const auto add = [&tokens](const std::string& token) {
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
  };
  for (const char* word : kWords) add(word);
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789")) {
    add(std::string(1, c));
    add(std::string("##") + c);
  }
  for (const char c : std::string_view("!\"#$%&'()*+,-./:;<=>?@[]_")) add(std::string(1, c));
  return tokens;
}

void WriteTemplate(JsonWriter& json, std::string_view key, bool pair) {
  const auto special = [&json](std::string_view token, int type) {
    json.BeginObject().Key("SpecialToken").BeginObject().Key("id").String(token).Key("type_id").Int(type);
    json.EndObject().EndObject();
  };
  const auto sequence = [&json](std::string_view id, int type) {
    json.BeginObject()
        .Key("Sequence")
        .BeginObject()
        .Key("id")
        .String(id)
        .Key("type_id")
        .Int(type)
        .EndObject()
        .EndObject();
  };
  json.Key(key).BeginArray();
  special("[CLS]", 0);
  sequence("A", 0);
  special("[SEP]", 0);
  if (pair) {
    sequence("B", 1);
    special("[SEP]", 1);
  }
  json.EndArray();
}

void WritePostProcessor(JsonWriter& json) {
  json.Key("post_processor").BeginObject().Key("type").String("TemplateProcessing");
  WriteTemplate(json, "single", false);
  WriteTemplate(json, "pair", true);
  json.Key("special_tokens").BeginObject();
  const std::pair<const char*, int> tokens[] = {{"[CLS]", 2}, {"[SEP]", 3}};
  for (const auto& [token, id] : tokens) {
    json.Key(token).BeginObject().Key("id").String(token).Key("ids").BeginArray().Int(id).EndArray();
    json.Key("tokens").BeginArray().String(token).EndArray().EndObject();
  }
  json.EndObject().EndObject();
}

// A multiple of 1/512 with at most eight significant bits, so that F32, F16 and BF16 all hold it exactly.
class WeightSource {
 public:
  explicit WeightSource(uint64_t seed) : random_(seed) {}

  float Next() { return static_cast<float>(static_cast<int>(random_() % 255) - 127) / 512.0f; }
  float NextAround1() { return 1.0f + static_cast<float>(static_cast<int>(random_() % 33) - 16) / 128.0f; }

 private:
  std::mt19937_64 random_;
};

void AppendWeight(float value, DType dtype, std::string& out) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t narrow = static_cast<uint16_t>(bits >> 16);
  if (dtype == DType::kF16) {
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    narrow = static_cast<uint16_t>((bits >> 16 & 0x8000u) | (magnitude == 0 ? 0 : (magnitude - (112u << 23)) >> 13));
  }
  if (dtype == DType::kF32) {
    out.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  } else {
    out.append(reinterpret_cast<const char*>(&narrow), sizeof(narrow));
  }
}

bool IsNormWeight(std::string_view name) { return name.ends_with("orm.weight"); }  // LayerNorm, sa_layer_norm, ...

struct NamedWeights {
  TensorDescription description;
  std::string bytes;
};

std::vector<NamedWeights> MakeWeights(const TinyCheckpointOptions& options) {
  WeightSource source(options.seed);
  std::vector<NamedWeights> weights;
  for (const TensorSpec& tensor : ExpectedTensors(TinySpec(options))) {
    NamedWeights& entry = weights.emplace_back();
    entry.description = {tensor.name, options.dtype, tensor.shape};
    int64_t elements = 1;
    for (const int64_t dimension : tensor.shape) elements *= dimension;
    for (int64_t i = 0; i < elements; ++i) {
      AppendWeight(IsNormWeight(tensor.name) ? source.NextAround1() : source.Next(), options.dtype, entry.bytes);
    }
    const std::string legacy = LegacyName(tensor.name);
    if (options.legacy_norm_names && !legacy.empty()) entry.description.name = legacy;
  }
  return weights;
}

absl::Status WriteFile(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  return file ? absl::OkStatus() : Internal(path.string(), ": cannot be written");
}

std::string SafetensorsOf(std::span<const NamedWeights> weights) {
  std::vector<TensorDescription> descriptions;
  for (const NamedWeights& entry : weights) descriptions.push_back(entry.description);
  const SafetensorsPlan plan = PlanSafetensors(descriptions);
  std::string file = plan.header;
  for (const TensorPlace& place : plan.places) file += weights[place.index].bytes;
  return file;
}

absl::Status WriteShards(const std::filesystem::path& directory, std::span<const NamedWeights> weights, int shards) {
  JsonWriter index;
  index.BeginObject().Key("weight_map").BeginObject();
  size_t begin = 0;
  for (int shard = 0; shard < shards; ++shard) {
    const size_t end = weights.size() * (shard + 1) / shards;
    const std::string file = Cat("model-0000", shard + 1, "-of-0000", shards, ".safetensors");
    for (size_t i = begin; i < end; ++i) index.Key(weights[i].description.name).String(file);
    KS_RETURN_IF_ERROR(WriteFile(directory / file, SafetensorsOf(weights.subspan(begin, end - begin))));
    begin = end;
  }
  index.EndObject().EndObject();
  return WriteFile(directory / kCheckpointIndexFile, index.text());
}

}  // namespace

ClassifierSpec TinySpec(const TinyCheckpointOptions& options) {
  const bool bert = options.architecture == Architecture::kBert;
  ClassifierSpec spec;
  spec.encoder = {.architecture = options.architecture,
                  .vocab_size = static_cast<int>(Vocabulary().size()),
                  .hidden_size = 32,
                  .intermediate_size = 64,
                  .layers = 2,
                  .heads = 4,
                  .max_positions = 40,
                  .type_vocab_size = bert ? 2 : 0,
                  .layer_norm_eps = 1e-12f,
                  .pad_id = 0,
                  .pooling = bert ? Pooling::kTanh : Pooling::kRelu};
  spec.labels = options.labels;
  if (options.problem_type == "regression") {
    spec.activation = Activation::kNone;
  } else if (options.problem_type == "multi_label_classification" || options.labels.size() == 1) {
    spec.activation = Activation::kSigmoid;
  }
  return spec;
}

std::string TinyTokenizerJson() {
  const std::vector<std::string> vocabulary = Vocabulary();
  JsonWriter json;
  json.BeginObject().Key("version").String("1.0").Key("truncation").Null().Key("padding").Null();
  json.Key("added_tokens").BeginArray();
  for (int id = 0; id < 5; ++id) {
    json.BeginObject().Key("id").Int(id).Key("content").String(vocabulary[id]).Key("single_word").Bool(false);
    json.Key("lstrip").Bool(false).Key("rstrip").Bool(false).Key("normalized").Bool(false).Key("special").Bool(true);
    json.EndObject();
  }
  json.EndArray();
  json.Key("normalizer").BeginObject().Key("type").String("BertNormalizer").Key("clean_text").Bool(true);
  json.Key("handle_chinese_chars").Bool(true).Key("strip_accents").Null().Key("lowercase").Bool(true).EndObject();
  json.Key("pre_tokenizer").BeginObject().Key("type").String("BertPreTokenizer").EndObject();
  WritePostProcessor(json);
  json.Key("decoder")
      .BeginObject()
      .Key("type")
      .String("WordPiece")
      .Key("prefix")
      .String("##")
      .Key("cleanup")
      .Bool(true);
  json.EndObject();
  json.Key("model").BeginObject().Key("type").String("WordPiece").Key("unk_token").String("[UNK]");
  json.Key("continuing_subword_prefix").String("##").Key("max_input_chars_per_word").Int(100);
  json.Key("vocab").BeginObject();
  for (size_t id = 0; id < vocabulary.size(); ++id) json.Key(vocabulary[id]).Int(static_cast<int64_t>(id));
  json.EndObject().EndObject().EndObject();
  return std::move(json).Take();
}

std::string TinyConfigJson(const TinyCheckpointOptions& options) {
  const ClassifierSpec spec = TinySpec(options);
  const EncoderSpec& encoder = spec.encoder;
  const bool bert = options.architecture == Architecture::kBert;
  JsonWriter json;
  json.BeginObject().Key("model_type").String(ArchitectureName(options.architecture));
  json.Key("architectures").BeginArray();
  json.String(bert ? "BertForSequenceClassification" : "DistilBertForSequenceClassification").EndArray();
  json.Key("vocab_size").Int(encoder.vocab_size);
  json.Key(bert ? "hidden_size" : "dim").Int(encoder.hidden_size);
  json.Key(bert ? "intermediate_size" : "hidden_dim").Int(encoder.intermediate_size);
  json.Key(bert ? "num_hidden_layers" : "n_layers").Int(encoder.layers);
  json.Key(bert ? "num_attention_heads" : "n_heads").Int(encoder.heads);
  json.Key(bert ? "hidden_act" : "activation").String("gelu");
  json.Key("max_position_embeddings").Int(encoder.max_positions);
  if (bert) json.Key("type_vocab_size").Int(encoder.type_vocab_size).Key("layer_norm_eps").Double(1e-12);
  json.Key("pad_token_id").Int(encoder.pad_id);
  if (!options.problem_type.empty()) json.Key("problem_type").String(options.problem_type);
  json.Key("id2label").BeginObject();
  for (int i = 0; i < spec.num_labels(); ++i) json.Key(Cat(i)).String(spec.labels[i]);
  json.EndObject().Key("label2id").BeginObject();
  for (int i = 0; i < spec.num_labels(); ++i) json.Key(spec.labels[i]).Int(i);
  json.EndObject().EndObject();
  return IndentJson(json.text());
}

absl::Status WriteTinyCheckpoint(const std::filesystem::path& directory, const TinyCheckpointOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), directory.string());
  KS_RETURN_IF_ERROR(WriteFile(directory / "config.json", TinyConfigJson(options)));
  KS_RETURN_IF_ERROR(WriteFile(directory / "tokenizer.json", TinyTokenizerJson()));
  const std::vector<NamedWeights> weights = MakeWeights(options);
  if (options.shards > 1) return WriteShards(directory, weights, options.shards);
  return WriteFile(directory / kCheckpointFile, SafetensorsOf(weights));
}

}  // namespace ks
