# How our own code is compiled. Everything hangs on the interface target ks_compile, so that warnings are errors on our
# targets only.
find_program(KS_CCACHE ccache)
if(KS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${KS_CCACHE}")
endif()

add_library(ks_compile INTERFACE)
target_include_directories(ks_compile INTERFACE "${PROJECT_SOURCE_DIR}/src")
target_compile_options(ks_compile INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Wundef -Werror
  # The same bits on every machine: no contraction of a*b+c behind our back (DESIGN: numbers it must keep).
  -ffp-contract=off
  -fvisibility=hidden -fno-omit-frame-pointer)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  # On arm64 a plain char has no sign: bytes must compare alike everywhere.
  target_compile_options(ks_compile INTERFACE -fsigned-char)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 calls a deprecated function of its own in stable_sort, and clang blames the caller; g++ still warns of ours.
  target_compile_options(ks_compile INTERFACE -Wthread-safety -Wno-deprecated-declarations)
else()
  # g++ 12 reports these inside the standard library and Abseil when it inlines through std::optional and variants.
  target_compile_options(ks_compile INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-dangling-pointer)
endif()

# Sanitizers apply to everything that is compiled here, generated code included.
if(KS_SANITIZE)
  add_compile_options(-fsanitize=${KS_SANITIZE} -fno-sanitize-recover=all -g1)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${KS_SANITIZE})
  set(KS_MIMALLOC OFF)
endif()
if(KS_LIBFUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld-19)
endif()
