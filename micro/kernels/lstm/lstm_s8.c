#include "micro/kernels/lstm/lstm.h"

void gc_lstm_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out,
                void* scratch) {
#ifdef GC_HELIUM
  gc_lstm_helium_s8(p, in, hidden, cell, out, scratch);
#else
#ifdef GC_DSP
  if (gc_lstm_dsp_s8_supports(p)) {
    gc_lstm_dsp_s8(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
  (void)scratch;
  gc_lstm_portable_s8(p, in, hidden, cell, out);
#endif
}
