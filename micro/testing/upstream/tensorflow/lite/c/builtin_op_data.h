#pragma once

#include "tensorflow/lite/micro/stand_in.h"
