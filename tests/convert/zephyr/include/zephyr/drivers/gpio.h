/* As in Zephyr 3.7 to main of 2026. */
#pragma once

#include <stdbool.h>
#include <zephyr/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint8_t gpio_pin_t;
typedef uint16_t gpio_dt_flags_t;
typedef uint32_t gpio_flags_t;
#define GPIO_INPUT (1u << 16)
#define GPIO_OUTPUT_INACTIVE (1u << 17 | 1u << 18 | 1u << 20)
struct gpio_dt_spec {
  const struct device* port;
  gpio_pin_t pin;
  gpio_dt_flags_t dt_flags;
};
#define STAND_IN_GPIO(node, property) STAND_IN_##node##_##property
#define STAND_IN_GPIO_OF(node, property) STAND_IN_GPIO(node, property)
#define GPIO_DT_SPEC_GET(node, property) STAND_IN_GPIO_OF(node, property)

bool gpio_is_ready_dt(const struct gpio_dt_spec* spec);
int gpio_pin_configure_dt(const struct gpio_dt_spec* spec, gpio_flags_t extra_flags);
int gpio_pin_get_dt(const struct gpio_dt_spec* spec);
int gpio_pin_set_dt(const struct gpio_dt_spec* spec, int value);

#ifdef __cplusplus
}
#endif
