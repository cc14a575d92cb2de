// Registers the ops in the official `tflite-micro` wheel, without its headers:
// the wheel looks up a registerer by name (dlsym) and calls it with its
// resolver.
//
// This follows generate_pw_op.cc step by step. Besides, it counts syntheses and
// keeps what Python wants to see.

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "../generate_pw.h"
#include "../generate_pw_format.h"
#include "../generate_pw_op.h"
#include "../generate_pw_shared.h"
#include "wheel.h"
#include "widen_bias_wheel.h"

namespace hypertinypw {

AllocatePersistentBufferFn allocate_persistent_buffer = nullptr;
GetEvalTensorFn get_eval_tensor = nullptr;

namespace {

constexpr uint32_t kNumOps = 2;  // That are registered here.

char last_error[256] = "";

// What Python sees of one op.
struct OpRecord {
  const GeneratePwState* state;  // In the arena.
  int32_t generate_count = 0;
  std::vector<int8_t> last_weights;  // Of a kernel that is not cached.
};

// In the order of the model's operators, which is that of Init.
std::vector<std::unique_ptr<OpRecord>>& Records() {
  static auto* const records = new std::vector<std::unique_ptr<OpRecord>>;
  return *records;
}

OpRecord* FindRecord(const void* state) {
  for (const auto& record : Records()) {
    if (record->state == state) return record.get();
  }
  return nullptr;
}

int Refuse(const char* message) { return Fail(kGeneratePwOpName, message); }

// The symbols are C++ names of the wheel, in the order of the constants above.
bool FindSymbols() {
  allocate_persistent_buffer = reinterpret_cast<AllocatePersistentBufferFn>(
      dlsym(RTLD_DEFAULT,
            "_ZN6tflite5micro36MicroContextAllocatePersistentBuffer"
            "EPNS0_13TfLiteContextEm"));
  get_eval_tensor = reinterpret_cast<GetEvalTensorFn>(
      dlsym(RTLD_DEFAULT,
            "_ZN6tflite5micro25MicroContextGetEvalTensor"
            "EPKNS0_13TfLiteContextEi"));
  return allocate_persistent_buffer != nullptr && get_eval_tensor != nullptr;
}

bool IsPlausible(const Registration& registration) {
  const int32_t code = registration.builtin_code;
  if (registration.invoke == nullptr) return false;
  if (code < 0 || code >= kMaxBuiltinCode) return false;
  return code != kBuiltinCustom || registration.custom_name != nullptr;
}

bool IsPlausible(const Resolver& resolver) {
  const uint32_t count = resolver.num_registrations;
  if (count == 0 || count + kNumOps > kMaxRegistrations) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!IsPlausible(resolver.registrations[i])) return false;
  }
  return true;
}

void* Init(Context* context, const char* buffer, size_t length) {
  GeneratePwState initial = {};
  const FormatError error = ParseOptions(
      reinterpret_cast<const uint8_t*>(buffer), length, &initial.params);
  if (error != FormatError::kNone) {
    Refuse(FormatErrorMessage(error));
    return nullptr;
  }
  void* memory = allocate_persistent_buffer(context, sizeof(GeneratePwState));
  if (memory == nullptr) return nullptr;
  auto record = std::make_unique<OpRecord>();
  record->state = new (memory) GeneratePwState(initial);
  Records().push_back(std::move(record));
  return memory;
}

// A constant has its data before the arena is planned.
bool IsConstantVector(const EvalTensor* tensor) {
  return tensor != nullptr && tensor->type == kTypeUInt8 &&
         tensor->data != nullptr && tensor->dims->size == 1 &&
         tensor->dims->data[0] > 0;
}

void Generate(OpRecord* record, const GeneratePwState& state,
              const Generator& generator, const EvalTensor& codes,
              int8_t* weights) {
  GeneratePwWeights(state.params, generator,
                    static_cast<const uint8_t*>(codes.data), weights);
  ++record->generate_count;
  if (state.params.residency == Residency::kPerInvoke) {
    record->last_weights.assign(weights, weights + state.params.num_weights);
  }
}

TensorBytes GetBytes(const EvalTensor& codes, const EvalTensor& generator,
                     const EvalTensor& kernel) {
  return {static_cast<const uint8_t*>(codes.data),
          static_cast<size_t>(codes.dims->data[0]),
          static_cast<const uint8_t*>(generator.data),
          static_cast<size_t>(generator.dims->data[0]),
          kernel.dims->data,
          kernel.dims->size};
}

int Prepare(Context* context, Node* node) {
  if (node->user_data == nullptr) return kError;  // Init said why.
  auto* state = static_cast<GeneratePwState*>(node->user_data);
  OpRecord* record = FindRecord(state);
  if (record == nullptr) {
    return Refuse("the tflite-micro wheel has an unknown node layout");
  }
  if (node->inputs->size != 2 || node->outputs->size != 1) {
    return Refuse("expected 2 inputs and 1 output");
  }
  const EvalTensor* codes = GetTensor(context, node->inputs, kCodesTensor);
  if (!IsConstantVector(codes)) {
    return Refuse("the codes are not a constant uint8 vector");
  }
  const EvalTensor* blob = GetTensor(context, node->inputs, kGeneratorTensor);
  if (!IsConstantVector(blob)) {
    return Refuse("the generator is not a constant uint8 vector");
  }
  EvalTensor* kernel = GetTensor(context, node->outputs, kKernelTensor);
  if (kernel == nullptr || kernel->type != kTypeInt8) {
    return Refuse("the kernel is not int8");
  }
  if (kernel->data != nullptr) return Refuse("the kernel has data already");
  TensorBytes bytes = GetBytes(*codes, *blob, *kernel);
  Generator generator;
  FormatError error = ResolveReference(&bytes.blob, &bytes.blob_size);
  if (error == FormatError::kNone) {
    error = ParseTensors(bytes, &state->params, &generator);
  }
  if (error != FormatError::kNone) return Refuse(FormatErrorMessage(error));
  if (state->params.residency == Residency::kPerInvoke) return kOk;

  state->weights = static_cast<int8_t*>(allocate_persistent_buffer(
      context, static_cast<size_t>(state->params.num_weights)));
  if (state->weights == nullptr) return kError;  // TFLM says what is missing.
  kernel->data = state->weights;
  if (state->params.synthesis == Synthesis::kBoot) {
    Generate(record, *state, generator, *codes, state->weights);
    state->generated = true;
  }
  return kOk;
}

int Invoke(Context* context, Node* node) {
  auto* state = static_cast<GeneratePwState*>(node->user_data);
  if (state->generated) return kOk;
  const EvalTensor* codes = GetTensor(context, node->inputs, kCodesTensor);
  const EvalTensor* blob = GetTensor(context, node->inputs, kGeneratorTensor);
  EvalTensor* kernel = GetTensor(context, node->outputs, kKernelTensor);
  const auto* bytes = static_cast<const uint8_t*>(blob->data);
  auto size = static_cast<size_t>(blob->dims->data[0]);
  Generator generator;
  FormatError error = ResolveReference(&bytes, &size);
  if (error == FormatError::kNone) {
    error = ParseGenerator(bytes, size, &generator);
  }
  if (error != FormatError::kNone) return Refuse(FormatErrorMessage(error));
  Generate(FindRecord(state), *state, generator, *codes,
           static_cast<int8_t*>(kernel->data));
  state->generated = state->params.residency == Residency::kCached;
  return kOk;
}

}  // namespace

int Fail(const char* op, const char* message) {
  std::snprintf(last_error, sizeof(last_error), "%s: %s", op, message);
  return kError;
}

}  // namespace hypertinypw

extern "C" {

// What Python reads about one op.
struct HypertinypwOp {
  int32_t generate_count;
  int32_t num_weights;
  const int8_t* weights;  // Null before the first synthesis.
};

// Called by the wheel with its resolver.
bool HypertinypwRegisterOps(void* wheel_resolver) {
  using hypertinypw::Fail;
  auto* resolver = static_cast<hypertinypw::Resolver*>(wheel_resolver);
  if (!hypertinypw::FindSymbols()) {
    Fail(hypertinypw::kGeneratePwOpName,
         "the tflite-micro wheel does not export what the op needs");
    return false;
  }
  if (!hypertinypw::IsPlausible(*resolver)) {
    Fail(hypertinypw::kGeneratePwOpName,
         "the tflite-micro wheel has an unknown resolver layout");
    return false;
  }
  resolver->registrations[resolver->num_registrations++] = {
      hypertinypw::Init,
      nullptr,
      hypertinypw::Prepare,
      hypertinypw::Invoke,
      nullptr,
      hypertinypw::kBuiltinCustom,
      hypertinypw::kGeneratePwOpName};
  resolver->registrations[resolver->num_registrations++] =
      hypertinypw::WheelWidenBias();
  return true;
}

void HypertinypwResetCounts() {
  for (const auto& record : hypertinypw::Records()) record->generate_count = 0;
}

// Empty if there was none.
const char* HypertinypwLastError() { return hypertinypw::last_error; }

int32_t HypertinypwNumOps() {
  return static_cast<int32_t>(hypertinypw::Records().size());
}

// Requires 0 <= index < HypertinypwNumOps() and a living interpreter.
void HypertinypwGetOp(int32_t index, HypertinypwOp* op) {
  const auto& record = *hypertinypw::Records()[static_cast<size_t>(index)];
  const hypertinypw::GeneratePwState& state = *record.state;
  op->generate_count = record.generate_count;
  op->num_weights = state.params.num_weights;
  op->weights = nullptr;
  if (state.generated) op->weights = state.weights;
  if (!record.last_weights.empty()) op->weights = record.last_weights.data();
}

}  // extern "C"
