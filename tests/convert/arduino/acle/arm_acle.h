/* As in GCC 7: no functions of the DSP extension. */
#pragma once
