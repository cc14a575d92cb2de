// Replays a file of ops, good and bad, that test_sanitizers.py writes. Built
// with -fsanitize=undefined,address: every array has a heap block of exactly
// its size, so that one byte too far ends the program.
//
// Record: uint32 verdict, then five arrays, each a uint32 size and its bytes:
// options, codes, blob, dims (int32), kernel. Verdict 0: must synthesize the
// kernel; 1: must be refused; 2: either, without a crash.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "generate_pw.h"
#include "generate_pw_format.h"

namespace {

constexpr uint32_t kMustMatch = 0;
constexpr uint32_t kMustFail = 1;
constexpr int32_t kMaxSynthesized = 1 << 20;

struct Bytes {
  std::unique_ptr<uint8_t[]> data;
  uint32_t size = 0;
};

bool Read(std::FILE* file, void* data, size_t size) {
  return std::fread(data, 1, size, file) == size;
}

bool ReadBytes(std::FILE* file, Bytes* bytes) {
  if (!Read(file, &bytes->size, sizeof(bytes->size))) return false;
  bytes->data.reset(new uint8_t[bytes->size]);
  return Read(file, bytes->data.get(), bytes->size);
}

bool InRange(const int8_t* weights, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    if (weights[i] < -127) return false;
  }
  return true;
}

// Returns whether the op did what the verdict says.
bool Replay(uint32_t verdict, const Bytes& options, const Bytes& codes,
            const Bytes& blob, const Bytes& dims, const Bytes& kernel) {
  hypertinypw::GeneratePwParams params;
  hypertinypw::Generator generator;
  auto error =
      hypertinypw::ParseOptions(options.data.get(), options.size, &params);
  if (error == hypertinypw::FormatError::kNone) {
    error = hypertinypw::ParseTensors(
        {codes.data.get(), codes.size, blob.data.get(), blob.size,
         reinterpret_cast<const int*>(dims.data.get()),
         static_cast<int>(dims.size / sizeof(int))},
        &params, &generator);
  }
  if (error != hypertinypw::FormatError::kNone) return verdict != kMustMatch;
  if (verdict == kMustFail) return false;
  if (params.num_weights > kMaxSynthesized) return verdict != kMustMatch;
  const auto count = static_cast<size_t>(params.num_weights);
  const std::unique_ptr<int8_t[]> weights(new int8_t[count]);
  hypertinypw::GeneratePwWeights(params, generator, codes.data.get(),
                                 weights.get());
  if (!InRange(weights.get(), params.num_weights)) return false;
  return verdict != kMustMatch ||
         (kernel.size == count &&
          std::memcmp(weights.get(), kernel.data.get(), count) == 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) return 2;
  uint32_t verdict = 0;
  int num_records = 0;
  int num_wrong = 0;
  while (Read(file, &verdict, sizeof(verdict))) {
    Bytes options, codes, blob, dims, kernel;
    for (Bytes* bytes : {&options, &codes, &blob, &dims, &kernel}) {
      if (!ReadBytes(file, bytes)) return 2;
    }
    ++num_records;
    num_wrong += Replay(verdict, options, codes, blob, dims, kernel) ? 0 : 1;
  }
  std::fclose(file);
  std::printf("%d records, %d wrong\n", num_records, num_wrong);
  return num_wrong == 0 ? 0 : 1;
}
