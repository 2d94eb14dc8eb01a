/* Two variants in one file: no more than a loop each. */
#include "micro/kernels/helium.h"
#include "micro/kernels/kernels.h"

void gc_lookup_s8(const int8_t* table /* (256) */, int32_t count, const int8_t* in /* (count) */,
                  int8_t* out /* (count) */) {
#ifdef GC_HELIUM
  int8x16_t x, y;
  __asm__ volatile(
      "wlstp.8 lr, %[count], 1f\n\t"
      "0:\n\t"
      "vldrb.8 %q[x], [%[in]], #16\n\t"
      "vldrb.u8 %q[y], [%[table], %q[x]]\n\t"
      "vstrb.8 %q[y], [%[out]], #16\n\t"
      "letp lr, 0b\n\t"
      "1:"
      : [in] "+r"(in), [out] "+r"(out), [x] "=&w"(x), [y] "=&w"(y)
      : [table] "r"(table), [count] "r"(count)
      : "lr", "memory");
#else
  for (int32_t i = 0; i < count; ++i) out[i] = table[(uint8_t)in[i]];
#endif
}
