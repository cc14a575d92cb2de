// The structures of the official `tflite-micro` wheel that an op sees, and what
// its two registrations share. They are those of the wheel that setup.cfg pins,
// on 64-bit Linux; what can be checked about them is checked when they are
// used, and a wheel of another layout is an error.

#ifndef HYPERTINYPW_TFLM_OPS_HOST_WHEEL_H_
#define HYPERTINYPW_TFLM_OPS_HOST_WHEEL_H_

#include <cstddef>
#include <cstdint>

namespace hypertinypw {

// TfLiteStatus, TfLiteType and BuiltinOperator values.
constexpr int kOk = 0;
constexpr int kError = 1;
constexpr int kTypeInt32 = 2;
constexpr int kTypeUInt8 = 3;
constexpr int kTypeInt8 = 9;
constexpr int kBuiltinCustom = 32;
constexpr int kMaxBuiltinCode = 1024;

struct IntArray {
  int32_t size;
  int32_t data[1];  // In truth `size` long.
};

struct EvalTensor {
  void* data;
  IntArray* dims;
  int32_t type;
};

struct Context;

struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* intermediates;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int32_t custom_initial_data_size;
};

struct Registration {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  void (*reset)(Context*, void*);
  int32_t builtin_code;
  const char* custom_name;
};

constexpr uint32_t kMaxRegistrations = 200;

struct Resolver {
  void* vptr;
  Registration registrations[kMaxRegistrations];
  uint32_t num_registrations;
};

static_assert(sizeof(void*) == 8, "The wheel is a 64-bit library.");
static_assert(sizeof(EvalTensor) == 24, "As in the pinned wheel.");
static_assert(offsetof(Node, custom_initial_data_size) == 48,
              "As in the pinned wheel.");
static_assert(sizeof(Registration) == 56, "As in the pinned wheel.");
static_assert(offsetof(Resolver, num_registrations) == 8 + 200 * 56,
              "As in the pinned wheel.");

using AllocatePersistentBufferFn = void* (*)(Context*, size_t);
using GetEvalTensorFn = EvalTensor* (*)(const Context*, int);

// Functions of the wheel; null until FindSymbols.
extern AllocatePersistentBufferFn allocate_persistent_buffer;
extern GetEvalTensorFn get_eval_tensor;

// Null for an omitted tensor.
inline EvalTensor* GetTensor(const Context* context, const IntArray* indices,
                             int index) {
  const int32_t tensor = indices->data[index];
  return tensor < 0 ? nullptr : get_eval_tensor(context, tensor);
}

// Keeps an op's message for Python, and returns kError.
int Fail(const char* op, const char* message);

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_HOST_WHEEL_H_
