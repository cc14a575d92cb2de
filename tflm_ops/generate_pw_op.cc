#include "generate_pw_op.h"

#include <cstddef>
#include <cstdint>

#include "generate_pw.h"
#include "generate_pw_format.h"
#include "generate_pw_shared.h"
#include "make_registration.h"
#include "op_checks.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/internal/compatibility.h"
#include "tensorflow/lite/kernels/op_macros.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_log.h"

namespace hypertinypw {
namespace {

constexpr int kNumInputs = 2;
constexpr int kNumOutputs = 1;

TfLiteStatus Report(FormatError error) {
  if (error == FormatError::kNone) return kTfLiteOk;
  MicroPrintf("%s: %s", kGeneratePwOpName, FormatErrorMessage(error));
  return kTfLiteError;
}

// A constant has its data before the arena is planned.
bool IsConstantVector(const TfLiteEvalTensor* tensor) {
  return tensor != nullptr && tensor->type == kTfLiteUInt8 &&
         tensor->data.uint8 != nullptr && tensor->dims->size == 1 &&
         tensor->dims->data[0] > 0;
}

// A null result makes Prepare fail.
void* Init(TfLiteContext* context, const char* buffer, size_t length) {
  GeneratePwState initial = {};
  const FormatError error = ParseOptions(
      reinterpret_cast<const uint8_t*>(buffer), length, &initial.params);
  if (Report(error) != kTfLiteOk) return nullptr;
  auto* state = static_cast<GeneratePwState*>(
      tflite::GetMicroContext(context)->AllocatePersistentBuffer(
          sizeof(GeneratePwState)));
  if (state != nullptr) *state = initial;
  return state;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  TF_LITE_ENSURE(context, node->user_data != nullptr);
  auto* state = static_cast<GeneratePwState*>(node->user_data);
  HYPERTINYPW_ENSURE(context, node->inputs->size == kNumInputs);
  HYPERTINYPW_ENSURE(context, node->outputs->size == kNumOutputs);
  HYPERTINYPW_ENSURE(context, node->outputs->data[kKernelTensor] >= 0);
  const TfLiteEvalTensor* codes =
      tflite::micro::GetEvalInput(context, node, kCodesTensor);
  HYPERTINYPW_ENSURE(context, IsConstantVector(codes));
  const TfLiteEvalTensor* blob =
      tflite::micro::GetEvalInput(context, node, kGeneratorTensor);
  HYPERTINYPW_ENSURE(context, IsConstantVector(blob));
  TfLiteEvalTensor* kernel =
      tflite::micro::GetEvalOutput(context, node, kKernelTensor);
  HYPERTINYPW_ENSURE(context, kernel->type == kTfLiteInt8);
  // Else it is a constant, or what another GeneratePW makes.
  HYPERTINYPW_ENSURE(context, kernel->data.int8 == nullptr);

  TensorBytes bytes = {tflite::micro::GetTensorData<uint8_t>(codes),
                       static_cast<size_t>(codes->dims->data[0]),
                       tflite::micro::GetTensorData<uint8_t>(blob),
                       static_cast<size_t>(blob->dims->data[0]),
                       kernel->dims->data,
                       kernel->dims->size};
  Generator generator;
  TF_LITE_ENSURE_STATUS(
      Report(ResolveReference(&bytes.blob, &bytes.blob_size)));
  TF_LITE_ENSURE_STATUS(
      Report(ParseTensors(bytes, &state->params, &generator)));
  if (state->params.residency == Residency::kPerInvoke) return kTfLiteOk;

  state->weights = static_cast<int8_t*>(
      tflite::GetMicroContext(context)->AllocatePersistentBuffer(
          static_cast<size_t>(state->params.num_weights)));
  TF_LITE_ENSURE(context, state->weights != nullptr);
  // The output pointer is set here, in Prepare, so that the memory planner
  // leaves the tensor alone. A planned buffer would be reused by later
  // activations, and the weights would be lost before the next invocation.
  kernel->data.int8 = state->weights;
  if (state->params.synthesis == Synthesis::kBoot) {
    GeneratePwWeights(state->params, generator,
                      tflite::micro::GetTensorData<uint8_t>(codes),
                      state->weights);
    state->generated = true;
  }
  return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  TFLITE_DCHECK(node->user_data != nullptr);
  auto* state = static_cast<GeneratePwState*>(node->user_data);
  if (state->generated) return kTfLiteOk;

  const TfLiteEvalTensor* codes =
      tflite::micro::GetEvalInput(context, node, kCodesTensor);
  const TfLiteEvalTensor* blob =
      tflite::micro::GetEvalInput(context, node, kGeneratorTensor);
  TfLiteEvalTensor* kernel =
      tflite::micro::GetEvalOutput(context, node, kKernelTensor);
  // Found and parsed again, since keeping it would cost arena for every op.
  const uint8_t* bytes = tflite::micro::GetTensorData<uint8_t>(blob);
  auto size = static_cast<size_t>(blob->dims->data[0]);
  Generator generator;
  TF_LITE_ENSURE_STATUS(Report(ResolveReference(&bytes, &size)));
  TF_LITE_ENSURE_STATUS(Report(ParseGenerator(bytes, size, &generator)));
  GeneratePwWeights(state->params, generator,
                    tflite::micro::GetTensorData<uint8_t>(codes),
                    tflite::micro::GetTensorData<int8_t>(kernel));
  state->generated = state->params.residency == Residency::kCached;
  return kTfLiteOk;
}

}  // namespace

OpRegistration* Register_GENERATE_PW() {
  static OpRegistration registration =
      MakeRegistration(Init, Prepare, Invoke, kGeneratePwOpName);
  return &registration;
}

}  // namespace hypertinypw
