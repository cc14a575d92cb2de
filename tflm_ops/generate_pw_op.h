// GeneratePW for TensorFlow Lite Micro:
//
//   resolver.AddCustom(hypertinypw::kGeneratePwOpName,
//                      hypertinypw::Register_GENERATE_PW());
//
// For models that share a generator, `SetSharedGenerator` comes first.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_

#include "generate_pw_shared.h"

// Until mid-2023, TFLM registered ops with TensorFlow Lite's own structure; the
// Arduino library Chirale_TensorFLowLite 2.0.0 is of that time.
#if __has_include("tensorflow/lite/c/common.h") && \
                  !__has_include("tensorflow/lite/micro/micro_common.h")
#define HYPERTINYPW_TFLITE_REGISTRATION
#endif

// From TFLM's headers. Not included, so that code that only wants the op's name
// needs none.
struct TFLMRegistration;
struct TfLiteRegistration;

namespace hypertinypw {

#ifdef HYPERTINYPW_TFLITE_REGISTRATION
using GeneratePwRegistration = TfLiteRegistration;
#else
using GeneratePwRegistration = const TFLMRegistration;
#endif

constexpr char kGeneratePwOpName[] = "GeneratePW";

// What AddCustom takes.
GeneratePwRegistration* Register_GENERATE_PW();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
