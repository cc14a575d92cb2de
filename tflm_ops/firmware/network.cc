// Invokes an int8 network layer by layer, three times, and compares every
// layer's output. Prints a line for each invocation and layer: both indices, 1
// if every value is right, and the instructions of the layer alone. What an
// interpreter does between layers is not there, and not counted.

#include <cstdio>
#include <cstring>

#include "generate_pw.h"
#include "generate_pw_format.h"
#include "input_file.h"
#include "instructions.h"
#include "layers.h"

namespace {

using hypertinypw::FormatError;
using hypertinypw::GeneratePwParams;
using hypertinypw::GeneratePwWeights;
using hypertinypw::Generator;
using hypertinypw::Residency;
using hypertinypw::firmware::Array;
using hypertinypw::firmware::CountInstructions;
using hypertinypw::firmware::InputFile;
using hypertinypw::firmware::Layer;
using hypertinypw::firmware::LayerKind;
using hypertinypw::firmware::LayerRecord;
using hypertinypw::firmware::RunLayer;

constexpr int kNumInvokes = 3;
constexpr int kMaxTensors = 256;
constexpr int kMaxLayers = 128;

// No planner: every tensor has memory of its own.
alignas(16) int8_t memory[8 << 20];
int8_t* tensors[kMaxTensors];

struct Step {
  Layer layer;
  Array<int8_t> expected;
  // For kGeneratePw.
  GeneratePwParams params;
  Generator generator;
  const uint8_t* codes;
  bool generated;
};
Step steps[kMaxLayers];

bool ReadTensors(InputFile* file, int num_tensors) {
  int8_t* next = memory;
  for (int i = 0; i < num_tensors; ++i) {
    const int32_t size = (file->Int() + 15) / 16 * 16;
    const auto data = file->ReadArray<int8_t>();
    if (data.size > 0) {
      tensors[i] = const_cast<int8_t*>(data.data);
      continue;
    }
    if (size > memory + sizeof(memory) - next) return false;
    tensors[i] = next;
    next += size;
  }
  return true;
}

bool ReadGeneratePw(InputFile* file, Step* step) {
  const auto options = file->ReadArray<uint8_t>();
  const auto codes = file->ReadArray<uint8_t>();
  const auto blob = file->ReadArray<uint8_t>();
  const auto dims = file->ReadArray<int>();
  step->codes = codes.data;
  return hypertinypw::ParseOptions(options.data, options.size, &step->params) ==
             FormatError::kNone &&
         hypertinypw::ParseTensors(
             {codes.data, codes.size, blob.data, blob.size, dims.data,
              static_cast<int>(dims.size)},
             &step->params, &step->generator) == FormatError::kNone;
}

bool ReadStep(InputFile* file, Step* step) {
  Layer& layer = step->layer;
  layer.kind = static_cast<LayerKind>(file->Int());
  layer.record = *file->ReadArray<LayerRecord>().data;
  layer.multipliers = file->ReadArray<int32_t>();
  layer.shifts = file->ReadArray<int32_t>();
  step->expected = file->ReadArray<int8_t>();
  return layer.kind != LayerKind::kGeneratePw || ReadGeneratePw(file, step);
}

int8_t* Tensor(int32_t index) { return index < 0 ? nullptr : tensors[index]; }

bool RunStep(Step* step) {
  const LayerRecord& record = step->layer.record;
  if (step->layer.kind != LayerKind::kGeneratePw) {
    return RunLayer(step->layer, Tensor(record.input), Tensor(record.filter),
                    reinterpret_cast<const int32_t*>(Tensor(record.bias)),
                    Tensor(record.output));
  }
  if (!step->generated) {
    GeneratePwWeights(step->params, step->generator, step->codes,
                      Tensor(record.output));
    step->generated = step->params.residency == Residency::kCached;
  }
  return true;
}

void Invoke(int invocation, int num_steps) {
  for (int i = 0; i < num_steps; ++i) {
    bool ok = false;
    const uint32_t count = CountInstructions([&] { ok = RunStep(&steps[i]); });
    const Array<int8_t>& expected = steps[i].expected;
    ok = ok && std::memcmp(Tensor(steps[i].layer.record.output), expected.data,
                           expected.size) == 0;
    std::printf("%d %d %d %lu\n", invocation, i, ok,
                static_cast<unsigned long>(count));
  }
}

}  // namespace

int main(int argc, char** argv) {
  static InputFile file;
  if (argc != 2 || !file.Read(argv[1])) return 1;
  const int num_tensors = file.Int();
  const int num_steps = file.Int();
  if (num_tensors > kMaxTensors || num_steps > kMaxLayers) return 1;
  if (!ReadTensors(&file, num_tensors)) return 1;
  const int input = file.Int();
  const auto data = file.ReadArray<int8_t>();
  std::memcpy(Tensor(input), data.data, data.size);
  for (int i = 0; i < num_steps; ++i) {
    if (!ReadStep(&file, &steps[i])) return 1;
  }
  hypertinypw::firmware::StartTimer();
  for (int i = 0; i < kNumInvokes; ++i) Invoke(i, num_steps);
  return 0;
}
