// GeneratePW in the least flash, for firmware that counts bytes:
//
//   resolver.AddCustom(hypertinypw::kGeneratePwOpName,
//                      hypertinypw::Register_GENERATE_PW_COMPACT());
//
// In the place of Register_GENERATE_PW. It makes the same kernels, every one in
// AllocateTensors, whatever the file says of residency and synthesis, and keeps
// them in the arena. It checks nothing but that the arena is large enough: a
// file that the format does not allow is undefined behaviour, and so is one
// that refers to a shared generator.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_OP_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_OP_H_

#include "generate_pw_format.h"
#include "op_registration.h"

namespace hypertinypw {

// What AddCustom takes.
OpRegistration* Register_GENERATE_PW_COMPACT();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_OP_H_
