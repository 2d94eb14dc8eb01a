// Does not link, because a board has no heap.
#include <cstdlib>

int main(int argc, char**) { return std::malloc(argc) == nullptr; }
