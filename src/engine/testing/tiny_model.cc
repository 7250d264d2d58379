#include "engine/testing/tiny_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/strings.h"

namespace ks {

std::string WordTokenizerJson() {
  std::string vocab = R"("[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3)";
  for (int word = 0; word < 100; ++word) vocab += Cat(",\"w", word, "\":", 4 + word);
  return Cat(R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],)",
             R"("normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,)",
             R"("strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},)",
             R"("post_processor":{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]},)",
             R"("decoder":{"type":"WordPiece","prefix":"##","cleanup":true},)",
             R"("model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",)",
             R"("max_input_chars_per_word":100,"vocab":{)", vocab, "}}}");
}

std::string TinyText(int words, int seed) {
  std::string text;
  for (int i = 0; i < words; ++i) {
    text += Cat(i == 0 ? "w" : " w", seed % 100);
    seed = seed / 100 + i;
  }
  return text;
}

Manifest TinyManifest() {
  Manifest manifest;
  manifest.name = "tiny";
  manifest.spec.labels = {"NEGATIVE", "NEUTRAL", "POSITIVE"};
  manifest.spec.encoder = {.vocab_size = 104,
                           .hidden_size = 4,
                           .intermediate_size = 8,
                           .layers = 1,
                           .heads = 2,
                           .max_positions = 64,
                           .type_vocab_size = 2};
  manifest.window = 64;
  manifest.precisions = {"fp32"};
  manifest.source_sha256 = std::string(64, '0');
  return manifest;
}

std::shared_ptr<const ServedModel> TinyModel(const TinyModelOptions& options) {
  std::vector<BackendGroup> groups;
  for (const std::string& name : options.groups) {
    BackendGroup group = {.name = name, .workers = {}};
    for (int i = 0; i < options.workers; ++i) {
      group.workers.push_back(std::make_unique<FakeBackend>(options.facts, options.hook));
    }
    groups.push_back(std::move(group));
  }
  if (options.shadow) groups.back().shadow = options.shadow();
  // Compiling takes some 20 ms, far more under the sanitizers: once for all tests.
  static const std::string compiled = Tokenizer::FromJson(WordTokenizerJson(), "tokenizer.json")->Compile();
  Tokenizer tokenizer = *Tokenizer::FromCompiled(std::as_bytes(std::span(compiled)));
  return std::make_shared<const ServedModel>(nullptr, options.manifest, std::move(tokenizer), std::move(groups));
}

std::vector<float> ExpectedLogits(const ServedModel& model, const std::string& text) {
  Encoding encoding;
  if (!model.tokenizer().Encode(text, {}, encoding).ok()) return {};
  return FakeLogits(encoding.ids, {}, model.spec().num_labels());
}

std::vector<TextInput> Inputs(const std::vector<std::string>& texts) {
  std::vector<TextInput> inputs;
  for (const std::string& text : texts) inputs.push_back({.text = text});
  return inputs;
}

Engine::Done PendingAnswer::done() const {
  return [state = state_](absl::StatusOr<ClassifyResult> result) {
    MutexLock lock(state->mutex);
    EXPECT_FALSE(state->result.has_value()) << "a request was answered twice";
    state->result = std::move(result);
    state->changed.NotifyAll();
  };
}

bool PendingAnswer::arrived() const {
  MutexLock lock(state_->mutex);
  return state_->result.has_value();
}

absl::StatusOr<ClassifyResult> PendingAnswer::Get() const {
  MutexLock lock(state_->mutex);
  while (!state_->result.has_value()) state_->changed.Wait(state_->mutex);
  return *state_->result;
}

PendingAnswer SubmitAsync(Engine& engine, const std::vector<std::string>& texts, const ClassifyOptions& options) {
  PendingAnswer answer;
  answer.ticket = engine.Submit(Inputs(texts), options, answer.done());
  return answer;
}

void CountingMetrics::ObserveRun(int, Duration, int sequences, int tokens, bool wide) {
  MutexLock lock(mutex_);
  ++counts_.runs;
  counts_.wide_runs += wide ? 1 : 0;
  counts_.run_sequences += sequences;
  counts_.run_tokens += tokens;
}

void CountingMetrics::ObserveQueueWait(Duration wait) {
  MutexLock lock(mutex_);
  ++counts_.waits;
  counts_.longest_wait = std::max(counts_.longest_wait, wait);
}

void CountingMetrics::CountPrediction(int backend, int label, double confidence, int tokens, bool truncated) {
  MutexLock lock(mutex_);
  ++counts_.predictions[label];
  ++counts_.predictions_by_backend[backend];
  counts_.confidence_sum += confidence;
  counts_.tokens += tokens;
  counts_.truncated += truncated ? 1 : 0;
}

void CountingMetrics::CountRejected(RejectReason reason) {
  MutexLock lock(mutex_);
  ++counts_.rejected[reason];
}

void CountingMetrics::ObserveShadow(const ShadowDifference& difference) {
  MutexLock lock(mutex_);
  counts_.other_label += difference.same_label ? 0 : 1;
  counts_.largest_difference = std::max(counts_.largest_difference, difference.largest);
}

void CountingMetrics::CountShadow(ShadowOutcome outcome, int texts) {
  MutexLock lock(mutex_);
  counts_.shadow_texts[outcome] += texts;
  shadow_changed_.NotifyAll();
}

void CountingMetrics::WaitForShadow(ShadowOutcome outcome, int texts) {
  MutexLock lock(mutex_);
  while (counts_.shadow_texts[outcome] < texts) shadow_changed_.Wait(mutex_);
}

void CountingMetrics::SetQueue(int64_t tokens, int64_t limit) {
  MutexLock lock(mutex_);
  counts_.queue_tokens = tokens;
  counts_.most_queue_tokens = std::max(counts_.most_queue_tokens, tokens);
  counts_.queue_limit = limit;
}

}  // namespace ks
