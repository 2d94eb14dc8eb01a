#include "micro/contract/tanh_table.h"

#include "micro/kernels/curve.h"

#ifdef GC_HELIUM

const int16_t gc_tanh_value[384] = {GC_TANH_VALUES};
const uint16_t gc_tanh_step[384] = {GC_TANH_STEPS};
const uint16_t gc_logistic_value[192] = {GC_LOGISTIC_VALUES};

#else

const gc_point gc_tanh_table[512] = {GC_TANH_POINTS};

#endif
