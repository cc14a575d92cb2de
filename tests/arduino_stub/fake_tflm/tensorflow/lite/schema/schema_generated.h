#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_SCHEMA_GENERATED_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_SCHEMA_GENERATED_H_

namespace tflite {

struct Model {};

inline const Model* GetModel(const void* data) {
  return static_cast<const Model*>(data);
}

}  // namespace tflite

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_SCHEMA_GENERATED_H_
