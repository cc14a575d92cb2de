// Synthesizes every case of a file, compares each weight and counts
// instructions. Prints a line for each: its index, 1 if all weights are right,
// and its instructions. With -DHYPERTINYPW_COMPACT=1 it is the compact op that
// synthesizes.

#include <cstdio>
#include <cstring>

#include "generate_pw.h"
#include "generate_pw_compact.h"
#include "generate_pw_format.h"
#include "input_file.h"
#include "instructions.h"

namespace {

using hypertinypw::FormatError;
using hypertinypw::firmware::InputFile;

int8_t weights[1 << 20];

void RunCase(InputFile* file, int index) {
  const auto options = file->ReadArray<uint8_t>();
  const auto codes = file->ReadArray<uint8_t>();
  const auto blob = file->ReadArray<uint8_t>();
  const auto dims = file->ReadArray<int>();
  const auto kernel = file->ReadArray<int8_t>();
  hypertinypw::GeneratePwParams params;
  hypertinypw::Generator generator;
  bool ok =
      hypertinypw::ParseOptions(options.data, options.size, &params) ==
          FormatError::kNone &&
      hypertinypw::ParseTensors({codes.data, codes.size, blob.data, blob.size,
                                 dims.data, static_cast<int>(dims.size)},
                                &params, &generator) == FormatError::kNone &&
      static_cast<size_t>(params.num_weights) == kernel.size &&
      kernel.size < sizeof(weights);
  uint32_t count = 0;
  if (ok) {
    // What is behind the kernel must stay.
    std::memset(weights, -128, kernel.size + 1);
    count = hypertinypw::firmware::CountInstructions([&] {
#if HYPERTINYPW_COMPACT
      hypertinypw::compact::GenerateWeights(options.data, codes.data, blob.data,
                                            dims.data, params.num_weights,
                                            weights);
#else
      hypertinypw::GeneratePwWeights(params, generator, codes.data, weights);
#endif
    });
    ok = std::memcmp(weights, kernel.data, kernel.size) == 0 &&
         weights[kernel.size] == -128;
  }
  std::printf("%d %d %lu\n", index, ok, static_cast<unsigned long>(count));
}

}  // namespace

int main(int argc, char** argv) {
  InputFile file;
  if (argc != 2 || !file.Read(argv[1])) return 1;
  hypertinypw::firmware::StartTimer();
  const int num_cases = file.Int();
  for (int index = 0; index < num_cases; ++index) RunCase(&file, index);
  return 0;
}
