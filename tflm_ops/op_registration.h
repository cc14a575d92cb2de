// The structure that an op registers with, in TFLM of any age.

#ifndef HYPERTINYPW_TFLM_OPS_OP_REGISTRATION_H_
#define HYPERTINYPW_TFLM_OPS_OP_REGISTRATION_H_

// Until mid-2023, TFLM registered ops with TensorFlow Lite's own structure; the
// Arduino library Chirale_TensorFLowLite 2.0.0 is of that time.
#if __has_include("tensorflow/lite/c/common.h") && \
                  !__has_include("tensorflow/lite/micro/micro_common.h")
#define HYPERTINYPW_TFLITE_REGISTRATION
#endif

// From TFLM's headers. Not included, so that code that only wants an op's name
// needs none.
struct TFLMRegistration;
struct TfLiteRegistration;

namespace hypertinypw {

#ifdef HYPERTINYPW_TFLITE_REGISTRATION
using OpRegistration = TfLiteRegistration;
#else
using OpRegistration = const TFLMRegistration;
#endif

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_OP_REGISTRATION_H_
