// Migration: inputs of a dense layer that are much larger than others take most of their row's 255 steps. Multiplied
// down before the row is quantised, with weights that make up for it, all are told apart better (Xiao et al., 2022,
// "SmoothQuant"; the weight's part in the exponent is ours).
#pragma once

#include <span>
#include <vector>

#include "convert/quantize.h"
#include "kernels/dispatch.h"

namespace ks {

// Multipliers float32 [K] for `dense`. Tried are (r(x) ^ -a) * (r(w) ^ b) for a and b of a small grid, among them all 1,
// where r(x) is an input's fourth-power mean and r(w) its largest weight, both over their median; taken is what leaves
// the least squared error of the outputs, rows quantised and weights rounded alone. `x` float32 [rows, K] is what the
// layer gets to see, of which up to 1536 rows, evenly spaced, are looked at. Costs about 20 times their product with
// the layer in int8.
std::vector<float> FindMultipliers(const FloatDense& dense, std::span<const float> x, int rows,
                                   const KernelTable& kernels = BestKernels());

// Divides the weights by `multipliers`, each above 0, and keeps these in dense.multipliers (times what is there).
void Migrate(std::span<const float> multipliers, FloatDense& dense);

}  // namespace ks
