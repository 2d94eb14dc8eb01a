/* Zephyr's zephyr_stdint.h: int32_t is int on every core. */
#undef __INT32_TYPE__
#undef __UINT32_TYPE__
#define __INT32_TYPE__ int
#define __UINT32_TYPE__ unsigned int
