// GeneratePW for TensorFlow Lite Micro:
//
//   resolver.AddCustom(hypertinypw::kGeneratePwOpName,
//                      hypertinypw::Register_GENERATE_PW());

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_

// From tensorflow/lite/micro/micro_common.h. Not included, so that code that
// only wants the op's name needs no TFLM headers.
struct TFLMRegistration;

namespace hypertinypw {

constexpr char kGeneratePwOpName[] = "GeneratePW";

const TFLMRegistration* Register_GENERATE_PW();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_OP_H_
