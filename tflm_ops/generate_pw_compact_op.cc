#include "generate_pw_compact_op.h"

#include <cstddef>
#include <cstdint>

#include "generate_pw_compact.h"
#include "generate_pw_format.h"
#include "make_registration.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/op_macros.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"

namespace hypertinypw {
namespace {

// The options stay where they are, in the model.
void* Init(TfLiteContext*, const char* buffer, size_t) {
  return const_cast<char*>(buffer);
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const auto* options = static_cast<const uint8_t*>(node->user_data);
  const uint8_t* codes =
      tflite::micro::GetEvalInput(context, node, kCodesTensor)->data.uint8;
  const uint8_t* blob =
      tflite::micro::GetEvalInput(context, node, kGeneratorTensor)->data.uint8;
  TfLiteEvalTensor* kernel =
      tflite::micro::GetEvalOutput(context, node, kKernelTensor);
  int32_t size = 1;
  for (int i = 0; i < kernel->dims->size; ++i) size *= kernel->dims->data[i];
  auto* weights = static_cast<int8_t*>(
      tflite::GetMicroContext(context)->AllocatePersistentBuffer(
          static_cast<size_t>(size)));
  TF_LITE_ENSURE(context, weights != nullptr);
  // Set here, so that the memory planner leaves the tensor alone.
  kernel->data.int8 = weights;
  compact::GenerateWeights(options, codes, blob, kernel->dims->data, size,
                           weights);
  return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext*, TfLiteNode*) { return kTfLiteOk; }

}  // namespace

OpRegistration* Register_GENERATE_PW_COMPACT() {
  static OpRegistration registration =
      MakeRegistration(Init, Prepare, Invoke, kGeneratePwOpName);
  return &registration;
}

}  // namespace hypertinypw
