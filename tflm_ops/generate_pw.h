// The arithmetic of GeneratePW: codes -> int8 kernel. Mirrors
// keras_hypertinypw/integer.py function for function, bit for bit.
//
// No floating point, no heap, no framework.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_H_

#include <cstdint>

#include "generate_pw_format.h"

namespace hypertinypw {

// What one op keeps in the arena, whatever framework holds it.
struct GeneratePwState {
  GeneratePwParams params;
  int8_t* weights;  // The cached kernel; null for Residency::kPerInvoke.
  bool generated;   // False until the first synthesis; survives Reset.
};

// Writes `params.num_weights` weights in [-127, 127]. `codes` must have a size
// that CheckCodesSize accepts, `generator` must come from ParseGenerator.
void GeneratePwWeights(const GeneratePwParams& params,
                       const Generator& generator, const uint8_t* codes,
                       int8_t* weights);

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_H_
