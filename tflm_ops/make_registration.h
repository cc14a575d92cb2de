// Fills in the structure that an op registers with.

#ifndef HYPERTINYPW_TFLM_OPS_MAKE_REGISTRATION_H_
#define HYPERTINYPW_TFLM_OPS_MAKE_REGISTRATION_H_

#include <cstddef>

#include "op_registration.h"
#include "tensorflow/lite/c/common.h"
#ifndef HYPERTINYPW_TFLITE_REGISTRATION
#include "tensorflow/lite/micro/micro_common.h"
#endif

namespace hypertinypw {

// An op without `free` and `reset`: what it made survives Reset(), which
// AllocateTensors itself calls at its end.
constexpr OpRegistration MakeRegistration(
    void* (*init)(TfLiteContext*, const char*, size_t),
    TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
    TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*), const char* name) {
#ifdef HYPERTINYPW_TFLITE_REGISTRATION
  return {init,
          /*free=*/nullptr,
          prepare,
          invoke,
          /*profiling_string=*/nullptr,
          /*builtin_code=*/0,
          name,
          /*version=*/1,
          /*registration_external=*/nullptr};
#else
  return {init,
          /*free=*/nullptr,
          prepare,
          invoke,
          /*reset=*/nullptr,
          /*builtin_code=*/0,
          name};
#endif
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_MAKE_REGISTRATION_H_
