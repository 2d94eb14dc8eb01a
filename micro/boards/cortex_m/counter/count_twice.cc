// A span that begins within itself, which the counter refuses.
#include "micro/boards/cortex_m/marker.h"

int main() {
  groupcomm::board::SpanBegin<5>();
  groupcomm::board::SpanBegin<5>();
}
