// A stub of the main header of TFLM's Arduino library. Its contents are in micro/testing/upstream.
#pragma once
