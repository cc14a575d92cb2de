// WidenBias for TensorFlow Lite Micro: makes 32-bit biases of stored bytes.
//
//   resolver.AddCustom(hypertinypw::kWidenBiasOpName,
//                      hypertinypw::Register_WIDEN_BIAS());
//
// The op runs once, in Prepare, before the ops that read the biases.

#ifndef HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_OP_H_
#define HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_OP_H_

#include "op_registration.h"

namespace hypertinypw {

constexpr char kWidenBiasOpName[] = "WidenBias";

// What AddCustom takes.
OpRegistration* Register_WIDEN_BIAS();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_OP_H_
