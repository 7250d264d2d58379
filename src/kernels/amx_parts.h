// What the two int8 linears over AMX tiles share. Tested by int8_linear_test.cc.
#pragma once

#include "kernels/int8_linear.h"
#include "kernels/kernel_parts.h"

namespace ks {

template <typename L>
struct AmxParts : KernelParts<L> {
  using I = typename L::I;
  using KernelParts<L>::kLanes;
  static constexpr int kTileRows = 16;
  static constexpr int kTileInputs = 64;
  static constexpr long kLine = 64;

  // sum += the products of the inputs [k, inputs) of one row with 16 outputs: what full tiles leave.
  static void AddRest(const unsigned char* q, const signed char* w, long k, long inputs, int* sum) {
    I total = L::LoadInts(sum);
    for (; k < inputs; k += kInt8Inputs) total = L::Dot(total, L::LoadInputs(q + k), L::LoadWeights(w + k * kLanes));
    L::StoreInts(sum, total);
  }
};

}  // namespace ks
