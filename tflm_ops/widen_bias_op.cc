#include "widen_bias_op.h"

#include <cstddef>
#include <cstdint>

#include "make_registration.h"
#include "op_checks.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/op_macros.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "widen_bias.h"

namespace hypertinypw {
namespace {

constexpr int kValuesTensor = 0;

// The options stay where they are, in the model. A null result makes Prepare
// fail.
void* Init(TfLiteContext*, const char* buffer, size_t length) {
#if HYPERTINYPW_CHECKS
  if (!IsWidenBiasOptions(reinterpret_cast<const uint8_t*>(buffer), length)) {
    MicroPrintf("%s: bad custom options", kWidenBiasOpName);
    return nullptr;
  }
#else
  static_cast<void>(length);
#endif
  return const_cast<char*>(buffer);
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  TF_LITE_ENSURE(context, node->user_data != nullptr);
  const auto* options = static_cast<const uint8_t*>(node->user_data);
  HYPERTINYPW_ENSURE(context, node->inputs->size == 1);
  HYPERTINYPW_ENSURE(context, node->outputs->size == options[1]);
  const TfLiteEvalTensor* values =
      tflite::micro::GetEvalInput(context, node, kValuesTensor);
  // A constant has its data before the arena is planned.
  HYPERTINYPW_ENSURE(
      context, values != nullptr && values->type == kTfLiteInt8 &&
                   values->data.int8 != nullptr && values->dims->size == 1);
  const int8_t* value = values->data.int8;
  const int8_t* end = value + values->dims->data[0];
  for (int i = 0; i < node->outputs->size; ++i) {
    TfLiteEvalTensor* bias = tflite::micro::GetEvalOutput(context, node, i);
    // Data that is there is a constant's, or what another op makes.
    HYPERTINYPW_ENSURE(context, bias->type == kTfLiteInt32 &&
                                    bias->data.i32 == nullptr &&
                                    bias->dims->size == 1);
    const int32_t size = bias->dims->data[0];
    HYPERTINYPW_ENSURE(context, size > 0 && size <= end - value);
    // Set here, so that the memory planner leaves the tensor alone.
    bias->data.i32 = static_cast<int32_t*>(
        tflite::GetMicroContext(context)->AllocatePersistentBuffer(
            static_cast<size_t>(size) * sizeof(int32_t)));
    TF_LITE_ENSURE(context, bias->data.i32 != nullptr);
    WidenBias(value, size, options[kWidenBiasHeaderSize + i], bias->data.i32);
    value += size;
  }
  HYPERTINYPW_ENSURE(context, value == end);
  return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext*, TfLiteNode*) { return kTfLiteOk; }

}  // namespace

OpRegistration* Register_WIDEN_BIAS() {
  static OpRegistration registration =
      MakeRegistration(Init, Prepare, Invoke, kWidenBiasOpName);
  return &registration;
}

}  // namespace hypertinypw
