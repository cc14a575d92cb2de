// Synthesis of four blocks at once, for processors that multiply two int16
// pairs in one instruction. Bit for bit what generate_pw.cc does.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_LANES_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_LANES_H_

#include <cstdint>

#include "generate_pw_format.h"

// 1 compiles it in. It takes about twice the flash of generate_pw.cc; where
// that counts more than the time of synthesis, set it to 0.
#if !defined(HYPERTINYPW_LANES)
#if defined(__ARM_FEATURE_DSP)
#define HYPERTINYPW_LANES 1
#else
#define HYPERTINYPW_LANES 0
#endif
#endif

namespace hypertinypw {

// Codes and hidden layers up to this width are kept for four lanes.
constexpr int32_t kMaxLaneWidth = 64;

// Writes all weights as GeneratePwWeights does, row signs excepted. Requires
// `code_dim` and all hidden layers at most kMaxLaneWidth wide.
void GenerateBlocksInLanes(const GeneratePwParams& params,
                           const Generator& generator, const uint8_t* codes,
                           int8_t* weights);

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_LANES_H_
