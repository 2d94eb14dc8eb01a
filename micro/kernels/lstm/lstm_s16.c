#include "micro/kernels/lstm/lstm.h"

void gc_lstm_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell, int16_t* out,
                 void* scratch) {
#ifdef GC_DSP
  if (gc_lstm_is_narrow(p)) {
    gc_lstm_dsp_s16(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (p->units >= GC_LSTM_HELIUM_UNITS && gc_lstm_is_narrow(p)) {
    gc_lstm_helium_s16(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
  (void)scratch;
  gc_lstm_portable_s16(p, in, hidden, cell, out);
}
