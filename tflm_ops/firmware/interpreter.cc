// Runs a whole `.tflite` in TFLM's MicroInterpreter, as firmware does: three
// inferences with a Reset() between, each on the next input of the file. Prints
// a line for AllocateTensors and one for each inference: 1 if every value of
// the output is right, instructions, syntheses; and the arena in use.
//
// `model_operators.h` is written for each model by
// benchmarks/board_interpreter.py. With -DHYPERTINYPW_COMPACT=1 the compact op
// stands in the place of GeneratePW.

#include <cstdio>
#include <cstring>

#include "generate_pw.h"
#include "generate_pw_compact_op.h"
#include "generate_pw_op.h"
#include "input_file.h"
#include "instructions.h"
#include "model_operators.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_common.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#if !defined(HYPERTINYPW_COMPACT)
#define HYPERTINYPW_COMPACT 0
#endif

// Of TFLM's target cortex_m_generic, which else says nothing. Builds for other
// targets do not have it.
extern "C" [[gnu::weak]] void RegisterDebugLogCallback(void (*)(const char*));

namespace {

using hypertinypw::GeneratePwState;
using hypertinypw::firmware::Array;
using hypertinypw::firmware::CountInstructions;
using hypertinypw::firmware::InputFile;

constexpr bool kIsCompact = HYPERTINYPW_COMPACT;
constexpr int kNumInvokes = 3;

// Larger than any board's.
alignas(16) uint8_t arena[8 << 20];
int num_syntheses = 0;

const TFLMRegistration* GeneratePw() {
  return kIsCompact ? hypertinypw::Register_GENERATE_PW_COMPACT()
                    : hypertinypw::Register_GENERATE_PW();
}

// The compact op makes its kernel in Prepare, and has no state.
bool IsGenerated(const TfLiteNode* node) {
  return kIsCompact ||
         static_cast<const GeneratePwState*>(node->user_data)->generated;
}

TfLiteStatus CountedPrepare(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteStatus status = GeneratePw()->prepare(context, node);
  num_syntheses += status == kTfLiteOk && IsGenerated(node);
  return status;
}

TfLiteStatus CountedInvoke(TfLiteContext* context, TfLiteNode* node) {
  num_syntheses += !IsGenerated(node);
  return GeneratePw()->invoke(context, node);
}

// Counts what GeneratePW synthesizes.
class Resolver : public tflite::MicroMutableOpResolver<kNumOperators> {
 public:
  TfLiteStatus AddCustom(const char* name, const TFLMRegistration* op) {
    TFLMRegistration counted = *op;
    if (std::strcmp(name, hypertinypw::kGeneratePwOpName) == 0) {
      counted = *GeneratePw();
      counted.prepare = CountedPrepare;
      counted.invoke = CountedInvoke;
    }
    return MicroMutableOpResolver::AddCustom(name, &counted);
  }
};

void PrintLog(const char* text) { std::printf("%s", text); }

int Fail(const char* what) {
  std::printf("FAIL: %s\n", what);
  return 1;
}

void Print(bool is_right, uint32_t instructions) {
  std::printf("%d %lu %d\n", is_right, static_cast<unsigned long>(instructions),
              num_syntheses);
  num_syntheses = 0;
}

bool IsInt8OfSize(const TfLiteTensor* tensor, size_t size) {
  return tensor != nullptr && tensor->type == kTfLiteInt8 &&
         tensor->bytes == size;
}

}  // namespace

int main(int argc, char** argv) {
  static InputFile file;
  if (argc != 2 || !file.Read(argv[1])) return Fail("the file of inputs");
  if (RegisterDebugLogCallback) RegisterDebugLogCallback(PrintLog);
  const auto model = file.ReadArray<uint8_t>();
  const auto arena_size = static_cast<size_t>(file.Int());
  const int num_cases = file.Int();
  if (arena_size > sizeof(arena)) return Fail("an arena of this size");

  Resolver resolver;
  if (!AddOperators(&resolver)) return Fail("the operators");
  tflite::MicroInterpreter interpreter(tflite::GetModel(model.data), resolver,
                                       arena, arena_size);
  TfLiteStatus status = kTfLiteOk;
  hypertinypw::firmware::StartTimer();
  const uint32_t instructions =
      CountInstructions([&] { status = interpreter.AllocateTensors(); });
  if (status != kTfLiteOk) return Fail("AllocateTensors");
  Print(true, instructions);

  InputFile cases = file;
  for (int i = 0; i < kNumInvokes; ++i) {
    if (i % num_cases == 0) cases = file;
    if (i > 0 && interpreter.Reset() != kTfLiteOk) return Fail("Reset");
    const Array<int8_t> input = cases.ReadArray<int8_t>();
    const Array<int8_t> expected = cases.ReadArray<int8_t>();
    if (!IsInt8OfSize(interpreter.input(0), input.size) ||
        !IsInt8OfSize(interpreter.output(0), expected.size)) {
      return Fail("types or sizes of input and output");
    }
    std::memcpy(interpreter.input(0)->data.int8, input.data, input.size);
    const uint32_t count =
        CountInstructions([&] { status = interpreter.Invoke(); });
    if (status != kTfLiteOk) return Fail("Invoke");
    Print(std::memcmp(interpreter.output(0)->data.int8, expected.data,
                      expected.size) == 0,
          count);
  }
  std::printf("%lu\n",
              static_cast<unsigned long>(interpreter.arena_used_bytes()));
  return 0;
}
