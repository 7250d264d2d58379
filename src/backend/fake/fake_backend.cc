// Tested by fake_backend_test.cc.
#include "backend/fake/fake_backend.h"

#include <cstdint>
#include <utility>

#include "base/status.h"

namespace ks {
namespace {

// FNV-1a over 32-bit words, then the finaliser of SplitMix64 so that neighbouring ids differ in every bit.
uint64_t HashSequence(std::span<const int32_t> ids, std::span<const int32_t> token_type_ids) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&hash](int32_t word) { hash = (hash ^ static_cast<uint32_t>(word)) * 0x100000001b3u; };
  for (size_t i = 0; i < ids.size(); ++i) {
    mix(ids[i]);
    mix(token_type_ids.empty() ? 0 : token_type_ids[i]);
  }
  return hash;
}

uint64_t Scramble(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

std::vector<float> FakeLogits(std::span<const int32_t> ids, std::span<const int32_t> token_type_ids, int classes) {
  const uint64_t hash = HashSequence(ids, token_type_ids);
  std::vector<float> logits(classes);
  for (int c = 0; c < classes; ++c) {
    // 20 bits: exact in float, and over several classes still unlikely to coincide.
    const uint64_t bits = Scramble(hash + static_cast<uint64_t>(c)) >> 44;
    logits[c] = static_cast<float>(bits) / (1 << 17) - 4.0f;
  }
  return logits;
}

BackendFacts FakeFacts() {
  BackendFacts facts;
  facts.name = "fake";
  facts.precision = "fp32";
  facts.max_tokens = 512;
  facts.max_tokens_per_sequence = 64;
  facts.classes = 3;
  return facts;
}

absl::StatusOr<Logits> FakeBackend::Run(const PackedBatch& batch) {
  if (running_.exchange(true)) return Internal("two calls of Run overlap on one FakeBackend");
  const auto finish = [this](absl::StatusOr<Logits> result) {
    running_.store(false);
    return result;
  };
  if (absl::Status status = CheckBatch(batch, facts_, 0); !status.ok()) return finish(std::move(status));
  if (hook_) {
    if (absl::Status status = hook_(batch); !status.ok()) return finish(std::move(status));
  }

  Logits logits{.values = {}, .sequences = batch.sequences(), .classes = facts_.classes};
  for (int i = 0; i < batch.sequences(); ++i) {
    const size_t begin = batch.offsets[i];
    const size_t length = batch.offsets[i + 1] - begin;
    const auto types =
        batch.token_type_ids.empty() ? batch.token_type_ids : batch.token_type_ids.subspan(begin, length);
    const std::vector<float> row = FakeLogits(batch.input_ids.subspan(begin, length), types, facts_.classes);
    logits.values.insert(logits.values.end(), row.begin(), row.end());
  }
  runs_.fetch_add(1);
  sequences_.fetch_add(batch.sequences());
  return finish(std::move(logits));
}

FakeBackend::Hook FakeGate::hook() {
  return [this](const PackedBatch&) {
    Wait();
    return absl::OkStatus();
  };
}

void FakeGate::LetOnePass() {
  MutexLock lock(mutex_);
  ++passes_;
  changed_.NotifyAll();
}

void FakeGate::Open() {
  MutexLock lock(mutex_);
  open_ = true;
  changed_.NotifyAll();
}

void FakeGate::WaitForArrivals(int count) {
  MutexLock lock(mutex_);
  while (arrivals_ < count) changed_.Wait(mutex_);
}

int FakeGate::arrivals() const {
  MutexLock lock(mutex_);
  return arrivals_;
}

void FakeGate::Wait() {
  MutexLock lock(mutex_);
  ++arrivals_;
  changed_.NotifyAll();
  while (!open_ && passes_ == 0) changed_.Wait(mutex_);
  if (!open_) --passes_;
}

}  // namespace ks
