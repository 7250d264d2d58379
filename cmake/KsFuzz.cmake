# The fuzzers under libFuzzer; scripts/slow runs them one after the other.
add_custom_target(ks_fuzzers)

# ks_fuzzer(NAME SOURCES foo_fuzz.cc .. LIBS target..)
#
# NAME_fuzz runs under libFuzzer where KS_LIBFUZZER is on. Otherwise it replays the files of fuzz/corpus/NAME, and that
# is a test of every build.
function(ks_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  set(corpus "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
  add_executable(${name}_fuzz ${ARG_SOURCES})
  target_link_libraries(${name}_fuzz PRIVATE ks_compile ${ARG_LIBS})
  if(KS_LIBFUZZER)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    add_dependencies(ks_fuzzers ${name}_fuzz)
  else()
    target_sources(${name}_fuzz PRIVATE "${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc")
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz "${corpus}")
    set_tests_properties(fuzz.${name} PROPERTIES LABELS unit TIMEOUT 120)
    add_dependencies(ks_tests ${name}_fuzz)
  endif()
endfunction()
