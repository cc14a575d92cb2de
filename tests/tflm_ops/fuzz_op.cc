// Drives the shipped glue, Init, Prepare and Invoke, over good and mutated ops:
//
//   fuzz_op CORPUS SEED FIRST COUNT
//
// runs the executions FIRST to FIRST + COUNT - 1. Those below the size of the
// corpus run its ops unchanged, the others a mutation that depends on the seed
// and on the execution's index alone. One record per execution goes to stdout,
// for fuzzing.py to compare with the Python definition; complaints go to
// stderr, with the index to run again.
//
// The compact op checks nothing, and runs the corpus alone, with
// -DFUZZED_COMPACT=1.
//
// Built with -fsanitize=address,undefined: every array has a heap block of
// exactly its size.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "fake_context.h"
#include "fuzz_case.h"
#include "fuzz_mutator.h"
#include "generate_pw_compact_op.h"
#include "generate_pw_format.h"
#include "generate_pw_op.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_common.h"

#if !defined(FUZZED_COMPACT)
#define FUZZED_COMPACT 0
#endif

extern "C" void __sanitizer_set_death_callback(void (*callback)());

namespace {

using hypertinypw::FakeContext;
using hypertinypw::FormatError;
using hypertinypw::FuzzCase;
using hypertinypw::FuzzResult;
using hypertinypw::FuzzTensor;
using hypertinypw::kCodes;
using hypertinypw::kGenerator;
using hypertinypw::kKernel;
using hypertinypw::kNumTensors;
using hypertinypw::Mutator;
using hypertinypw::Outcome;

constexpr bool kIsCompact = FUZZED_COMPACT;
constexpr unsigned kSecondsPerExecution = 10;
// The memory planner would not place more than this either.
constexpr size_t kMaxPlanned = 1 << 20;
constexpr int8_t kMark = 0x55;

uint64_t seed = 0;
uint64_t execution = 0;
FormatError reported = FormatError::kNone;

void SayWhere() {
  std::fprintf(stderr, "seed %llu, execution %llu\n",
               static_cast<unsigned long long>(seed),
               static_cast<unsigned long long>(execution));
}

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "%s: ", what);
  SayWhere();
  std::_Exit(1);
}

void HandleAlarm(int) { Fail("hang"); }

// Copies an array to a block of exactly its size.
template <typename T>
std::unique_ptr<T[]> Exact(const std::vector<T>& values) {
  std::unique_ptr<T[]> block(new T[values.size()]);
  std::copy(values.begin(), values.end(), block.get());
  return block;
}

// The memory of a TfLiteIntArray: its size, then its data.
std::unique_ptr<int[]> IntArray(std::vector<int> values) {
  values.insert(values.begin(), static_cast<int>(values.size()));
  return Exact(values);
}

TfLiteIntArray* View(const std::unique_ptr<int[]>& array) {
  return reinterpret_cast<TfLiteIntArray*>(array.get());
}

// One op inside the fake interpreter.
class Run {
 public:
  explicit Run(const FuzzCase& op)
      : op_(op),
        options_(Exact(op.options)),
        shared_(Exact(op.shared)),
        inputs_(IntArray(op.inputs)),
        outputs_(IntArray(op.outputs)) {
    for (int i = 0; i < kNumTensors; ++i) {
      const FuzzTensor& tensor = op.tensors[i];
      dims_[i] = IntArray(tensor.dims);
      data_[i] = Exact(tensor.data);
      context_.tensors[i].type = tensor.type;
      context_.tensors[i].dims = View(dims_[i]);
      if (tensor.has_data) context_.tensors[i].data.uint8 = data_[i].get();
    }
    context_.capacity = op.capacity;
    node_.inputs = View(inputs_);
    node_.outputs = View(outputs_);
    const bool is_shared = !op.shared.empty();
    hypertinypw::SetSharedGenerator(is_shared ? shared_.get() : nullptr,
                                    op.shared.size());
  }

  FuzzResult Execute() {
    reported = FormatError::kNone;
    FuzzResult result;
    node_.user_data = registration_->init(
        context_.get(), reinterpret_cast<const char*>(options_.get()),
        op_.options.size());
    if (registration_->prepare(context_.get(), &node_) == kTfLiteOk) {
      result.outcome = Outcome::kPrepared;
      InvokeTwice(&result);
    }
    result.error = reported;
    result.arena_was_full = context_.refused;
    if (!std::equal(op_.shared.begin(), op_.shared.end(), shared_.get())) {
      Fail("wrote the shared generator");
    }
    for (int i = 0; i < kNumTensors; ++i) {
      const std::vector<uint8_t>& data = op_.tensors[i].data;
      if (!std::equal(data.begin(), data.end(), data_[i].get())) {
        Fail("wrote a constant");
      }
    }
    return result;
  }

 private:
  void InvokeTwice(FuzzResult* result) {
    TfLiteEvalTensor* kernel = &context_.tensors[op_.outputs[0]];
    size_t num_weights = 1;
    for (const int dim : op_.tensors[op_.outputs[0]].dims) {
      num_weights *= static_cast<size_t>(dim);
    }
    std::unique_ptr<int8_t[]> planned;
    const bool is_cached = kernel->data.int8 != nullptr;
    if (!is_cached) {
      if (num_weights > kMaxPlanned) return;
      planned.reset(new int8_t[num_weights]);
      kernel->data.int8 = planned.get();
    }
    int8_t* const weights = kernel->data.int8;
    // Only the compact op has made its kernel by now whatever the options say,
    // and has nothing but that in the arena.
    const std::vector<int8_t> prepared(weights, weights + num_weights);
    Invoke();
    if (kIsCompact && (!std::equal(prepared.begin(), prepared.end(), weights) ||
                       context_.used != (num_weights + 15) / 16 * 16)) {
      Fail("made something after Prepare, or kept more than the kernel");
    }
    result->outcome = Outcome::kInvoked;
    result->kernel.assign(weights, weights + num_weights);
    // A cached kernel is made once, so this stays; another is made anew.
    for (size_t i = 0; i < num_weights; ++i) weights[i] ^= kMark;
    Invoke();
    if (kernel->data.int8 != weights) Fail("moved the kernel");
    const int8_t mark = is_cached ? kMark : 0;
    for (size_t i = 0; i < num_weights; ++i) {
      if ((weights[i] ^ mark) != result->kernel[i]) Fail("a second kernel");
    }
  }

  void Invoke() {
    if (registration_->invoke(context_.get(), &node_) != kTfLiteOk) {
      Fail("an Invoke that Prepare did not refuse");
    }
  }

  const FuzzCase& op_;
  const TFLMRegistration* registration_ =
      kIsCompact ? hypertinypw::Register_GENERATE_PW_COMPACT()
                 : hypertinypw::Register_GENERATE_PW();
  const std::unique_ptr<uint8_t[]> options_;
  const std::unique_ptr<uint8_t[]> shared_;
  const std::unique_ptr<int[]> inputs_;
  const std::unique_ptr<int[]> outputs_;
  std::unique_ptr<int[]> dims_[kNumTensors];
  std::unique_ptr<uint8_t[]> data_[kNumTensors];
  FakeContext context_;
  TfLiteNode node_ = {};
};

std::vector<FuzzCase> ReadCorpus(const char* path) {
  std::vector<FuzzCase> corpus;
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) Fail("no corpus");
  FuzzCase op;
  while (hypertinypw::ReadCase(file, &op)) corpus.push_back(op);
  std::fclose(file);
  return corpus;
}

FuzzCase MakeCase(const std::vector<FuzzCase>& corpus) {
  if (execution < corpus.size()) return corpus[execution];
  Mutator mutator(seed << 32 ^ execution);
  FuzzCase op = corpus[mutator.Below(corpus.size())];
  mutator.Mutate(&op);
  return op;
}

}  // namespace

// What the glue reports is its name and a sentence of FormatErrorMessage.
void MicroPrintf(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  if (std::strcmp(format, "%s: %s") != 0) Fail("an unknown message");
  va_arg(arguments, const char*);
  const char* message = va_arg(arguments, const char*);
  va_end(arguments);
  for (int i = 1; reported == FormatError::kNone; ++i) {
    const auto error = static_cast<FormatError>(i);
    const char* candidate = hypertinypw::FormatErrorMessage(error);
    if (std::strcmp(candidate, message) == 0) reported = error;
    if (std::strcmp(candidate, "unknown error") == 0) Fail("an unknown error");
  }
}

extern "C" const char* __asan_default_options() { return "handle_abort=1"; }

extern "C" const char* __ubsan_default_options() {
  return "abort_on_error=1:print_stacktrace=1";
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  seed = std::strtoull(argv[2], nullptr, 10);
  const uint64_t first = std::strtoull(argv[3], nullptr, 10);
  const uint64_t count = std::strtoull(argv[4], nullptr, 10);
  __sanitizer_set_death_callback(SayWhere);
  std::signal(SIGALRM, HandleAlarm);
  const std::vector<FuzzCase> corpus = ReadCorpus(argv[1]);
  if (corpus.empty()) Fail("an empty corpus");
  for (execution = first; execution < first + count; ++execution) {
    alarm(kSecondsPerExecution);
    const FuzzCase op = MakeCase(corpus);
    const FuzzResult result = Run(op).Execute();
    alarm(0);  // Whoever reads the records may take a while.
    hypertinypw::WriteRecord(stdout, op, result);
  }
  return 0;
}
