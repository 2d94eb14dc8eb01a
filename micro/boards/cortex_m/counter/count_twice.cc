// A span that begins twice, which the counter rejects.
#include "micro/boards/cortex_m/marker.h"

int main() {
  groupcomm::board::SpanBegin<5>();
  groupcomm::board::SpanBegin<5>();
}
