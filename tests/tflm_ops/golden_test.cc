// Gate 4: synthesizes every golden case, on the host or on a board. Returns
// the number of cases that differ.

#include "golden.h"

#include <cstdio>
#include <cstring>

#include "generate_pw.h"
#include "generate_pw_format.h"

namespace {

bool Matches(const hypertinypw::golden::Case& golden) {
  static int8_t weights[1024];
  if (golden.num_weights > static_cast<int>(sizeof(weights))) return false;
  hypertinypw::GeneratePwParams params;
  hypertinypw::Generator generator;
  if (hypertinypw::ParseOptions(golden.options, golden.options_size, &params) !=
          hypertinypw::FormatError::kNone ||
      hypertinypw::ParseTensors(
          {golden.codes, golden.codes_size, golden.blob, golden.blob_size,
           golden.dims, golden.num_dims},
          &params, &generator) != hypertinypw::FormatError::kNone) {
    return false;
  }
  hypertinypw::GeneratePwWeights(params, generator, golden.codes, weights);
  return params.num_weights == golden.num_weights &&
         std::memcmp(weights, golden.kernel,
                     static_cast<size_t>(golden.num_weights)) == 0;
}

}  // namespace

int main() {
  int num_cases = 0;
  int num_matches = 0;
  for (const auto& golden : hypertinypw::golden::kCases) {
    ++num_cases;
    num_matches += Matches(golden) ? 1 : 0;
  }
  std::printf("%d of %d cases match\n", num_matches, num_cases);
  return num_cases - num_matches;
}
