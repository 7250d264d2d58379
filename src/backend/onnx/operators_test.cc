#include "backend/onnx/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <new>

#include "backend/onnx/custom_op.h"
#include "backend/onnx/operators_testing.h"
#include "kernels/attention.h"
#include "kernels/int8_attention.h"
#include "kernels/int8_linear.h"
#include "kernels/kernels_testing.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

void ExpectError(const absl::StatusOr<std::vector<float>>& result, const std::string& part) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(part));
}

// Runs the node on every instruction set, alone, on a team and on the runtime's threads; each must give `expected` to
// the bit.
void ExpectEverywhere(OneNode& node, const std::vector<float>& expected) {
  for (const IsaLevel isa : SupportedIsas()) {
    for (const auto& [team, pool] : {std::pair(1, 1), {3, 1}, {1, 3}}) {
      const absl::StatusOr<std::vector<float>> found = node.Run({.team = team, .pool_threads = pool, .isa = isa});
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(DifferentBits(*found, expected), 0u) << IsaName(isa) << ", " << team << " and " << pool << " threads";
    }
  }
}

const KernelTable& Reference() { return Kernels(IsaLevel::kScalar); }

// --- Int8Linear ---

struct Int8Layer {
  Int8Layer(int outputs_in, int inputs_in) : outputs(outputs_in), inputs(inputs_in) {
    Random random(1);
    std::vector<int8_t> w(static_cast<size_t>(outputs) * inputs);
    for (int8_t& value : w) value = static_cast<int8_t>(random.Below(255) - 127);
    packed.resize(PackedInt8Bytes(outputs, inputs));
    column_sums.resize(PaddedOutputs(outputs));
    PackInt8Weights(w.data(), outputs, inputs, reinterpret_cast<int8_t*>(packed.data()), column_sums.data());
    scales = random.Floats(PaddedOutputs(outputs), 0.01f);
    bias = random.Floats(PaddedOutputs(outputs));
    multipliers = random.Floats(static_cast<size_t>(inputs), 2.0f);
  }

  OneNode Node(const std::vector<float>& x, bool gelu) const {
    OneNode node("Int8Linear");
    node.Int("inputs", inputs).Int("outputs", outputs).Int("gelu", gelu ? 1 : 0);
    node.Input<float>({static_cast<int64_t>(x.size()) / inputs, inputs}, x);
    node.Weight<uint8_t>({static_cast<int64_t>(packed.size())}, packed);
    node.Weight<float>({static_cast<int64_t>(scales.size())}, scales);
    node.Weight<int32_t>({static_cast<int64_t>(column_sums.size())}, column_sums);
    node.Weight<float>({static_cast<int64_t>(bias.size())}, bias);
    node.Weight<float>({static_cast<int64_t>(multipliers.size())}, multipliers);
    return node;
  }

  std::vector<float> Expected(const std::vector<float>& x, bool gelu, const float* residual) const {
    const int rows = static_cast<int>(x.size()) / inputs;
    const size_t stride = PaddedInputs(inputs);
    std::vector<uint8_t> q(rows * stride);
    std::vector<float> row_scales(rows), out(static_cast<size_t>(rows) * outputs);
    std::vector<int32_t> zero_points(rows);
    Reference().quantize_rows({.x = x.data(),
                               .x_stride = static_cast<size_t>(inputs),
                               .multipliers = multipliers.data(),
                               .q = q.data(),
                               .q_stride = stride,
                               .scales = row_scales.data(),
                               .zero_points = zero_points.data(),
                               .rows = rows,
                               .inputs = inputs});
    Reference().int8_linear({.q = q.data(),
                             .q_stride = stride,
                             .scales = row_scales.data(),
                             .zero_points = zero_points.data(),
                             .weights = {.packed = reinterpret_cast<const int8_t*>(packed.data()),
                                         .scales = scales.data(),
                                         .column_sums = column_sums.data(),
                                         .bias = bias.data(),
                                         .inputs = inputs,
                                         .outputs = outputs},
                             .epilogue = gelu ? Epilogue::kGelu : Epilogue::kNone,
                             .residual = residual,
                             .residual_stride = static_cast<size_t>(outputs),
                             .out = out.data(),
                             .out_stride = static_cast<size_t>(outputs),
                             .rows = rows});
    return out;
  }

  int outputs, inputs;
  std::vector<uint8_t> packed;
  std::vector<int32_t> column_sums;
  std::vector<float> scales, bias, multipliers;
};

TEST(Int8LinearOperator, ComputesWhatTheReferenceDoes) {
  const Int8Layer layer(200, 130);
  for (const int rows : {1, 70, 300}) {  // cut by nothing, by columns, by rows
    const std::vector<float> x = Random(2).Floats(static_cast<size_t>(rows) * 130, 3.0f);
    OneNode node = layer.Node(x, /*gelu=*/false);
    ExpectEverywhere(node, layer.Expected(x, false, nullptr));
  }
}

TEST(Int8LinearOperator, AppliesGeluAndThenAddsTheResidual) {
  const Int8Layer layer(200, 130);
  const std::vector<float> x = Random(3).Floats(size_t{90} * 130, 3.0f);
  const std::vector<float> residual = Random(4).Floats(size_t{90} * 200);
  OneNode node = layer.Node(x, /*gelu=*/true);
  node.Input<float>({90, 200}, residual);
  ExpectEverywhere(node, layer.Expected(x, true, residual.data()));
}

TEST(Int8LinearOperator, TakesNoRows) {
  OneNode node = Int8Layer(16, 4).Node({}, false);
  const auto found = node.Run({.team = 2});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->empty());
}

TEST(Int8LinearOperator, RefusesWeightsOfAnotherSizeWhenTheSessionOpens) {
  const std::vector<float> x(20);
  for (const auto& [what, message] : {std::pair("packed", "packed has shape [959], expected [960]"),
                                      {"scales", "scales has shape [47], expected [48]"},
                                      {"column_sums", "column_sums has shape [47], expected [48]"},
                                      {"bias", "bias has shape [47], expected [48]"},
                                      {"multipliers", "multipliers has shape [19], expected [20]"}}) {
    Int8Layer layer(35, 20);
    if (std::string_view(what) == "packed") layer.packed.pop_back();
    if (std::string_view(what) == "scales") layer.scales.pop_back();
    if (std::string_view(what) == "column_sums") layer.column_sums.pop_back();
    if (std::string_view(what) == "bias") layer.bias.pop_back();
    if (std::string_view(what) == "multipliers") layer.multipliers.pop_back();
    OneNode node = layer.Node(x, false);
    const auto result = node.Run({.isa = BestIsa()});
    ExpectError(result, message);
    ExpectError(result, "node tested");
    ExpectError(result, "session");
  }
}

TEST(Int8LinearOperator, RefusesAttributesOutOfRange) {
  for (const auto& [inputs, outputs, message] : {std::tuple(32769, 16, "inputs is 32769, expected 1 to 32768"),
                                                 {0, 16, "inputs is 0"},
                                                 {4, -1, "outputs is -1"}}) {
    OneNode node("Int8Linear");
    node.Int("inputs", inputs).Int("outputs", outputs).Int("gelu", 0).Input<float>({1, 4}, std::vector<float>(4));
    node.Weight<uint8_t>({64}, std::vector<uint8_t>(64)).Weight<float>({16}, std::vector<float>(16));
    node.Weight<int32_t>({16}, std::vector<int32_t>(16)).Weight<float>({16}, std::vector<float>(16));
    node.Weight<float>({4}, std::vector<float>(4));
    ExpectError(node.Run({.isa = BestIsa()}), message);
  }
}

TEST(Int8LinearOperator, RefusesRowsOfAnotherWidth) {
  const Int8Layer layer(16, 20);
  OneNode node = layer.Node(std::vector<float>(20), false);
  node.Input<float>({1, 17}, std::vector<float>(17));
  ExpectError(node.Run({.isa = BestIsa()}), "input 6 has shape [1, 17], expected [1, 16]");
}

TEST(Int8LinearOperator, RefusesWeightsThatAreNoInitializers) {
  OneNode node("Int8Linear");
  node.Int("inputs", 4).Int("outputs", 16).Int("gelu", 0).Input<float>({1, 4}, std::vector<float>(4));
  node.Input<uint8_t>({64}, std::vector<uint8_t>(64)).Weight<float>({16}, std::vector<float>(16));
  node.Weight<int32_t>({16}, std::vector<int32_t>(16)).Weight<float>({16}, std::vector<float>(16));
  node.Weight<float>({4}, std::vector<float>(4));
  ExpectError(node.Run({.isa = BestIsa()}), "packed is no initializer");
}

// --- Float rows ---

TEST(LinearF32Operator, ComputesWhatTheReferenceDoes) {
  const int inputs = 100, outputs = 70;
  Random random(5);
  const std::vector<float> weight = random.Floats(static_cast<size_t>(outputs) * inputs);
  const std::vector<float> bias = random.Floats(outputs);
  for (const int rows : {1, 70, 300}) {
    for (const bool gelu : {false, true}) {
      const std::vector<float> x = random.Floats(static_cast<size_t>(rows) * inputs);
      std::vector<float> expected(static_cast<size_t>(rows) * outputs);
      Reference().linear({.x = x.data(),
                          .x_stride = inputs,
                          .weight = weight.data(),
                          .bias = bias.data(),
                          .out = expected.data(),
                          .out_stride = outputs,
                          .rows = rows,
                          .inputs = inputs,
                          .outputs = outputs});
      if (gelu) Reference().gelu(expected.data(), expected.data(), expected.size());
      OneNode node("LinearF32");
      node.Int("gelu", gelu ? 1 : 0).Input<float>({rows, inputs}, x);
      node.Weight<float>({outputs, inputs}, weight).Weight<float>({outputs}, bias);
      ExpectEverywhere(node, expected);
    }
  }
}

TEST(LinearF32Operator, RefusesABiasOfAnotherSize) {
  OneNode node("LinearF32");
  node.Int("gelu", 0).Input<float>({1, 4}, std::vector<float>(4));
  node.Weight<float>({3, 4}, std::vector<float>(12)).Weight<float>({2}, std::vector<float>(2));
  ExpectError(node.Run({.isa = BestIsa()}), "bias has shape [2], expected [3]");
}

TEST(LayerNormRowsOperator, ComputesWhatTheReferenceDoes) {
  const int rows = 500, width = 384;
  Random random(6);
  const std::vector<float> x = random.Floats(size_t{rows} * width), residual = random.Floats(size_t{rows} * width);
  const std::vector<float> gamma = random.Floats(width), beta = random.Floats(width);
  for (const bool with_residual : {false, true}) {
    std::vector<float> expected(x.size());
    Reference().layer_norm({.x = x.data(),
                            .residual = with_residual ? residual.data() : nullptr,
                            .gamma = gamma.data(),
                            .beta = beta.data(),
                            .eps = 1e-5f,
                            .out = expected.data(),
                            .rows = rows,
                            .width = width});
    OneNode node("LayerNormRows");
    node.Float("epsilon", 1e-5f).Input<float>({rows, width}, x);
    node.Weight<float>({width}, gamma).Weight<float>({width}, beta);
    if (with_residual) node.Input<float>({rows, width}, residual);
    ExpectEverywhere(node, expected);
  }
}

TEST(LayerNormRowsOperator, RefusesABetaOfAnotherSize) {
  OneNode node("LayerNormRows");
  node.Float("epsilon", 1e-5f).Input<float>({1, 4}, std::vector<float>(4));
  node.Weight<float>({4}, std::vector<float>(4)).Weight<float>({3}, std::vector<float>(3));
  ExpectError(node.Run({.isa = BestIsa()}), "beta has shape [3], expected [4]");
}

TEST(LayerNormRowsOperator, RefusesRowsOfAnotherWidth) {
  OneNode node("LayerNormRows");
  node.Float("epsilon", 1e-5f).Input<float>({2, 5}, std::vector<float>(10));
  node.Weight<float>({4}, std::vector<float>(4)).Weight<float>({4}, std::vector<float>(4));
  ExpectError(node.Run({.isa = BestIsa()}), "input 0 has shape [2, 5], expected [any, 4]");
}

// --- The classifier ---

struct Head {
  static constexpr int kHidden = 50, kPooled = 36, kLabels = 3;
  Random random{7};
  std::vector<float> pooler = random.Floats(size_t{kPooled} * kHidden), pooler_bias = random.Floats(kPooled);
  std::vector<float> classifier = random.Floats(size_t{kLabels} * kPooled), bias = random.Floats(kLabels);

  OneNode Node(const std::vector<float>& x, int tanh) const {
    OneNode node("Classifier");
    node.Int("tanh", tanh).Input<float>({static_cast<int64_t>(x.size()) / kHidden, kHidden}, x);
    node.Weight<float>({kPooled, kHidden}, pooler).Weight<float>({kPooled}, pooler_bias);
    node.Weight<float>({kLabels, static_cast<int64_t>(classifier.size()) / kLabels}, classifier);
    node.Weight<float>({kLabels}, bias);
    return node;
  }
};

std::vector<float> Linear(const std::vector<float>& x, const std::vector<float>& weight,
                          const std::vector<float>& bias) {
  const size_t inputs = weight.size() / bias.size();
  std::vector<float> out(x.size() / inputs * bias.size());
  Reference().linear({.x = x.data(),
                      .x_stride = inputs,
                      .weight = weight.data(),
                      .bias = bias.data(),
                      .out = out.data(),
                      .out_stride = bias.size(),
                      .rows = static_cast<int>(x.size() / inputs),
                      .inputs = static_cast<int>(inputs),
                      .outputs = static_cast<int>(bias.size())});
  return out;
}

TEST(ClassifierOperator, ComputesWhatTheReferenceDoes) {
  const Head head;
  for (const int rows : {1, 3, 130}) {
    const std::vector<float> x = Random(9).Floats(static_cast<size_t>(rows) * Head::kHidden, 2.0f);
    for (const bool tanh : {false, true}) {
      std::vector<float> pooled = Linear(x, head.pooler, head.pooler_bias);
      (tanh ? Reference().tanh : Reference().relu)(pooled.data(), pooled.data(), pooled.size());
      OneNode node = head.Node(x, tanh);
      ExpectEverywhere(node, Linear(pooled, head.classifier, head.bias));
    }
  }
}

TEST(ClassifierOperator, RefusesWeightsThatDoNotFit) {
  Head head;
  head.classifier.resize(size_t{Head::kLabels} * (Head::kPooled - 1));
  const std::vector<float> x(Head::kHidden);
  ExpectError(head.Node(x, 1).Run({}), "weight has shape [3, 35], expected [any, 36]");
  ExpectError(Head().Node(x, 2).Run({}), "tanh is 2, expected 0 to 1");
}

// --- Packed sequences ---

TEST(NormedEmbeddingsOperator, ComputesWhatTheReferenceDoes) {
  constexpr int kWidth = 40;
  Random random(8);
  const auto halves = [&random](int rows) {
    std::vector<uint16_t> table(static_cast<size_t>(rows) * kWidth);
    for (uint16_t& half : table) half = static_cast<uint16_t>(random.Below(2) << 15 | random.Below(0x5000));
    return table;
  };
  const std::vector<uint16_t> words = halves(9), positions = halves(20), types = halves(2);
  const std::vector<float> gamma = random.Floats(kWidth), beta = random.Floats(kWidth);
  // Fewer rows than a task has, and some more than two have.
  for (const std::vector<int32_t>& offsets : {std::vector<int32_t>{0, 3, 4}, {0, 17, 19}}) {
    const int rows = offsets.back();
    std::vector<int32_t> ids, type_ids, in_sequence;
    for (int t = 0; t < rows; ++t) {
      ids.push_back(random.Below(9));
      type_ids.push_back(random.Below(2));
      in_sequence.push_back(t < offsets[1] ? t : t - offsets[1]);
    }
    for (const bool with_types : {false, true}) {
      std::vector<float> expected(static_cast<size_t>(rows) * kWidth);
      Reference().embed_half({.ids = ids.data(),
                              .type_ids = type_ids.data(),
                              .positions = in_sequence.data(),
                              .word = words.data(),
                              .type = with_types ? types.data() : nullptr,
                              .position = positions.data(),
                              .out = expected.data(),
                              .rows = rows,
                              .width = kWidth});
      Reference().layer_norm({.x = expected.data(),
                              .gamma = gamma.data(),
                              .beta = beta.data(),
                              .eps = 1e-5f,
                              .out = expected.data(),
                              .rows = rows,
                              .width = kWidth});
      OneNode node("NormedEmbeddings");
      node.Float("epsilon", 1e-5f).Input<int32_t>({rows}, ids).Input<int32_t>({3}, offsets);
      node.Weight<uint16_t>({9, kWidth}, words).Weight<uint16_t>({20, kWidth}, positions);
      node.Weight<float>({kWidth}, gamma).Weight<float>({kWidth}, beta);
      if (with_types) node.Input<int32_t>({rows}, type_ids).Weight<uint16_t>({2, kWidth}, types);
      ExpectEverywhere(node, expected);
    }
  }
}

TEST(NormedEmbeddingsOperator, RefusesANormOfAnotherWidth) {
  OneNode node("NormedEmbeddings");
  node.Float("epsilon", 1e-5f).Input<int32_t>({1}, std::vector<int32_t>{0});
  node.Input<int32_t>({2}, std::vector<int32_t>{0, 1});
  node.Weight<uint16_t>({2, 4}, std::vector<uint16_t>(8)).Weight<uint16_t>({2, 4}, std::vector<uint16_t>(8));
  node.Weight<float>({4}, std::vector<float>(4)).Weight<float>({3}, std::vector<float>(3));
  ExpectError(node.Run({}), "beta has shape [3], expected [4]");
}

OneNode SmallEmbeddings(const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets, int position_width,
                        int type_id = 0) {
  OneNode node("Embeddings");
  node.Input<int32_t>({static_cast<int64_t>(ids.size())}, ids);
  node.Input<int32_t>({static_cast<int64_t>(offsets.size())}, offsets);
  node.Weight<float>({5, 4}, std::vector<float>(20));
  node.Weight<float>({2, position_width}, std::vector<float>(size_t{2} * position_width));
  node.Input<int32_t>({static_cast<int64_t>(ids.size())}, std::vector<int32_t>(ids.size(), type_id));
  node.Weight<float>({2, 4}, std::vector<float>(8));
  return node;
}

TEST(EmbeddingsOperator, RefusesToReadOutsideItsTables) {
  const NodeSettings settings;
  ASSERT_TRUE(SmallEmbeddings({4, 0}, {0, 2}, 4).Run(settings).ok());
  ExpectError(SmallEmbeddings({4, 0}, {0, 2}, 3).Run(settings), "positions has shape [2, 3], expected [any, 4]");
  ExpectError(SmallEmbeddings({4, 5}, {0, 2}, 4).Run(settings), "the id at token 1 lies outside the table of 5 rows");
  ExpectError(SmallEmbeddings({4, -1}, {0, 2}, 4).Run(settings), "the id at token 1 lies outside");
  ExpectError(SmallEmbeddings({4, 0}, {0, 2}, 4, 2).Run(settings), "the token type at token 0 lies outside");
  ExpectError(SmallEmbeddings({1, 1, 1}, {0, 3}, 4).Run(settings), "the position at token 2 lies outside");
  ExpectError(SmallEmbeddings({1, 1}, {0, 3}, 4).Run(settings), "the offsets end at 3, expected the 2 rows");
}

TEST(PackedAttentionQkvOperator, ReadsQueryKeyAndValueSideBySide) {
  const int heads = 3, width = 48, rows = 60;
  const std::vector<float> qkv = Random(9).Floats(size_t{rows} * 3 * width);
  const std::vector<int32_t> offsets = {0, 20, 21, 60};
  std::vector<float> expected(size_t{rows} * width);
  const AttentionArgs args = {.q = qkv.data(),
                              .k = qkv.data() + width,
                              .v = qkv.data() + 2 * width,
                              .row_stride = 3 * width,
                              .offsets = offsets.data(),
                              .sequences = 3,
                              .heads = heads,
                              .head_size = width / heads,
                              .out = expected.data(),
                              .out_stride = width};
  for (const bool int8 : {true, false}) {
    OneNode together("PackedAttentionQkv");
    together.Int("heads", heads).Int("int8", int8).Input<float>({rows, 3 * width}, qkv).Input<int32_t>({4}, offsets);
    if (int8) {
      RunAll(Int8AttentionTasks(Reference(), args));
    } else {
      RunAll(AttentionTasks(Reference(), args));
    }
    ExpectEverywhere(together, expected);
  }

  std::vector<float> parts[3];
  for (int p = 0; p < 3; ++p) {
    for (int r = 0; r < rows; ++r) {
      const auto from = qkv.begin() + (3 * r + p) * width;
      parts[p].insert(parts[p].end(), from, from + width);
    }
  }
  OneNode apart("PackedAttention");
  apart.Int("heads", heads);
  for (const std::vector<float>& part : parts) apart.Input<float>({rows, width}, part);
  apart.Input<int32_t>({4}, offsets);
  ExpectEverywhere(apart, expected);
}

TEST(PackedAttentionQkvOperator, RefusesWhatDoesNotDivide) {
  const auto run = [](int64_t width, int64_t heads, int32_t end) {
    OneNode node("PackedAttentionQkv");
    node.Int("heads", heads).Int("int8", 1);
    node.Input<float>({2, width}, std::vector<float>(static_cast<size_t>(2 * width)));
    node.Input<int32_t>({2}, std::vector<int32_t>{0, end});
    return node.Run({.isa = BestIsa()});
  };
  ASSERT_TRUE(run(12, 2, 2).ok());
  ExpectError(run(11, 2, 2), "a width of 11, expected three of the same");
  ExpectError(run(12, 3, 2), "a width of 4, expected a multiple of 3 heads");
  ExpectError(run(12, 0, 2), "heads is 0, expected 1 to");
  ExpectError(run(12, 2, 3), "the offsets end at 3, expected the 2 rows");
}

TEST(FirstTokensOperator, RefusesRowsThatAreNoLongerPacked) {
  OneNode node("FirstTokens");
  node.Input<float>({2, 4}, std::vector<float>(8)).Input<int32_t>({3}, std::vector<int32_t>{0, 3, 7});
  ExpectError(node.Run({.isa = BestIsa()}), "the offsets end at 7, expected the 2 rows");
}

// --- Threads ---

// Runs out of memory in a task.
struct Greedy {
  static constexpr const char* kName = "Greedy";
  static constexpr ONNXTensorElementDataType kInputs[] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 1;
  static absl::StatusOr<Greedy> Create(const NodeInfo&) { return Greedy{}; }
  absl::Status Compute(OpContext& context) const {
    context.Run(8, [](size_t i) {
      if (i == 5) throw std::bad_alloc();
    });
    return absl::OkStatus();
  }
};

TEST(CustomOp, ReportsMemoryThatRanOutOnAnyThread) {
  const auto environment = AcquireOrtEnvironment();
  ASSERT_TRUE(environment.ok());
  for (const auto& [members, pool] : {std::pair(1, 1), {3, 1}, {1, 3}}) {
    Team team(members);
    const CustomOp<Greedy> op({.team = &team, .pool_threads = pool, .isa = BestIsa()});
    const auto domain = MakeOrt<OrtCustomOpDomain>(
        "domain", [](OrtCustomOpDomain** out) { return Ort().CreateCustomOpDomain("kubesentiment", out); });
    ASSERT_TRUE(domain.ok());
    ASSERT_TRUE(ToStatus(Ort().CustomOpDomain_Add(domain->get(), &op), "op").ok());
    OneNode node("Greedy");
    node.Input<float>({1, 1}, std::vector<float>(1));
    const auto result = node.Run(environment->get(), domain->get(), pool);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted) << result.status();
  }
}

}  // namespace
}  // namespace ks
