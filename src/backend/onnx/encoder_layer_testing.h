// Test support: an encoder layer with random weights, and its result from the kernels called one after another.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "backend/onnx/encoder_layer.h"
#include "kernels/dispatch.h"
#include "kernels/int8_attention.h"
#include "kernels/kernels_testing.h"

namespace ks {

struct RandomDense {
  RandomDense(int outputs, int inputs, Random& random)
      : packed(PackedInt8Bytes(outputs, inputs) / sizeof(Line)),
        scales(random.Floats(static_cast<size_t>(PaddedOutputs(outputs)), 0.02f)),
        column_sums(static_cast<size_t>(PaddedOutputs(outputs))),
        bias(random.Floats(scales.size())),
        multipliers(random.Floats(static_cast<size_t>(inputs), 2.0f)) {
    std::vector<int8_t> w(static_cast<size_t>(outputs) * inputs);
    for (int8_t& value : w) value = static_cast<int8_t>(random.Below(255) - 127);
    int8_t* const values = packed.front().values;
    PackInt8Weights(w.data(), outputs, inputs, values, column_sums.data());
    view = {.packed = values,
            .scales = scales.data(),
            .column_sums = column_sums.data(),
            .bias = bias.data(),
            .multipliers = multipliers.data(),
            .inputs = inputs,
            .outputs = outputs};
  }
  RandomDense(const RandomDense&) = delete;
  RandomDense& operator=(const RandomDense&) = delete;

  // f(x) + residual over all rows at once.
  std::vector<float> Apply(const KernelTable& kernels, const std::vector<float>& x, Epilogue epilogue,
                           const std::vector<float>& residual) const {
    const int rows = static_cast<int>(x.size()) / view.inputs;
    const size_t stride = static_cast<size_t>(PaddedInputs(view.inputs));
    std::vector<uint8_t> q(rows * stride);
    std::vector<float> row_scales(static_cast<size_t>(rows)), out(static_cast<size_t>(rows) * view.outputs);
    std::vector<int32_t> zero_points(static_cast<size_t>(rows));
    kernels.quantize_rows({.x = x.data(),
                           .x_stride = static_cast<size_t>(view.inputs),
                           .multipliers = view.multipliers,
                           .q = q.data(),
                           .q_stride = stride,
                           .scales = row_scales.data(),
                           .zero_points = zero_points.data(),
                           .rows = rows,
                           .inputs = view.inputs});
    kernels.int8_linear({.q = q.data(),
                         .q_stride = stride,
                         .scales = row_scales.data(),
                         .zero_points = zero_points.data(),
                         .weights = view,
                         .epilogue = epilogue,
                         .residual = residual.empty() ? nullptr : residual.data(),
                         .residual_stride = static_cast<size_t>(view.outputs),
                         .out = out.data(),
                         .out_stride = static_cast<size_t>(view.outputs),
                         .rows = rows});
    return out;
  }

  struct alignas(64) Line {
    int8_t values[64];
  };
  std::vector<Line> packed;
  std::vector<float> scales;
  std::vector<int32_t> column_sums;
  std::vector<float> bias, multipliers;
  Int8Weights view;
};

class RandomLayer {
  Random random_;

 public:
  const RandomDense qkv, attention_output, ffn_in, ffn_out;
  const std::vector<float> norms;  // gamma and beta of the first norm, then of the second

  RandomLayer(int hidden, int inner, int heads, uint64_t seed = 1)
      : random_(seed),
        qkv(3 * hidden, hidden, random_),
        attention_output(hidden, hidden, random_),
        ffn_in(inner, hidden, random_),
        ffn_out(hidden, inner, random_),
        norms(random_.Floats(size_t{4} * hidden)) {
    const size_t width = static_cast<size_t>(hidden);
    weights_ = {.qkv = qkv.view,
                .attention_output = attention_output.view,
                .ffn_in = ffn_in.view,
                .ffn_out = ffn_out.view,
                .attention_norm = {norms.data(), norms.data() + width},
                .ffn_norm = {norms.data() + 2 * width, norms.data() + 3 * width},
                .epsilon = 1e-12f,
                .heads = heads};
  }

  LayerWeights weights(bool first_tokens) const {
    LayerWeights weights = weights_;
    weights.first_tokens = first_tokens;
    return weights;
  }

  std::vector<float> Expected(const KernelTable& kernels, const std::vector<float>& x,
                              const std::vector<int32_t>& offsets, bool first_tokens) const {
    const size_t width = static_cast<size_t>(weights_.hidden());
    const std::vector<float> projected = qkv.Apply(kernels, x, Epilogue::kNone, {});
    std::vector<float> context(x.size());
    RunAll(Int8AttentionTasks(kernels, {.q = projected.data(),
                                        .k = projected.data() + width,
                                        .v = projected.data() + 2 * width,
                                        .row_stride = 3 * width,
                                        .offsets = offsets.data(),
                                        .sequences = static_cast<int>(offsets.size()) - 1,
                                        .heads = weights_.heads,
                                        .head_size = static_cast<int>(width) / weights_.heads,
                                        .out = context.data(),
                                        .out_stride = width}));
    std::vector<float> residual = x;
    if (first_tokens) {
      context = Firsts(context, offsets);
      residual = Firsts(x, offsets);
    }
    std::vector<float> y = attention_output.Apply(kernels, context, Epilogue::kNone, residual);
    Norm(kernels, weights_.attention_norm, y);
    const std::vector<float> inner = ffn_in.Apply(kernels, y, Epilogue::kGelu, {});
    std::vector<float> out = ffn_out.Apply(kernels, inner, Epilogue::kNone, y);
    Norm(kernels, weights_.ffn_norm, out);
    return out;
  }

 private:
  std::vector<float> Firsts(const std::vector<float>& x, const std::vector<int32_t>& offsets) const {
    const size_t width = static_cast<size_t>(weights_.hidden());
    std::vector<float> firsts;
    for (size_t i = 0; i + 1 < offsets.size(); ++i) {
      const float* const row = x.data() + static_cast<size_t>(offsets[i]) * width;
      firsts.insert(firsts.end(), row, row + width);
    }
    return firsts;
  }

  void Norm(const KernelTable& kernels, const LayerWeights::Norm& norm, std::vector<float>& x) const {
    kernels.layer_norm({.x = x.data(),
                        .gamma = norm.gamma,
                        .beta = norm.beta,
                        .eps = weights_.epsilon,
                        .out = x.data(),
                        .rows = static_cast<int>(x.size()) / weights_.hidden(),
                        .width = weights_.hidden()});
  }

  LayerWeights weights_;
};

// Sequences of the given lengths.
inline std::vector<int32_t> OffsetsOf(std::span<const int> lengths) {
  std::vector<int32_t> offsets = {0};
  for (const int length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

}  // namespace ks
