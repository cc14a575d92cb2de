// The model. Constant, so that it stays in flash; TFLM reads it there.

#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

constexpr unsigned int kModelSize = $model_size;
extern const unsigned char kModelData[kModelSize];

#endif  // MODEL_DATA_H_
