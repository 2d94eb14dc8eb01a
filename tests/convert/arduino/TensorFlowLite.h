// Stands for the library's front header; what it holds comes from micro/testing/upstream.
#pragma once
