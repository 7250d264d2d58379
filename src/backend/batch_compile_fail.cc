// expect: deleted
#include "backend/batch.h"

namespace ks {

Logits MakeLogits() { return {.values = {1.0f}, .sequences = 1, .classes = 1}; }

float FirstLogit() {
#ifdef KS_MISUSE
  return MakeLogits().row(0)[0];  // a view into a temporary
#else
  const Logits logits = MakeLogits();
  return logits.row(0)[0];
#endif
}

}  // namespace ks
