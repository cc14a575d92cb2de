// GeneratePW for TensorFlow Lite Micro:
//
//   resolver.AddCustom(hypertinypw::kGeneratePwOpName,
//                      hypertinypw::Register_GENERATE_PW());
//
// For models that share a generator, `SetSharedGenerator` comes first.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_

#include "generate_pw_format.h"
#include "generate_pw_shared.h"
#include "op_registration.h"

namespace hypertinypw {

// What AddCustom takes.
OpRegistration* Register_GENERATE_PW();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
