include(GoogleTest)

# ks_room(NAME [SOURCES ..] [HEADERS_ONLY] [USES room..] [LIBS target..] [TESTS foo_test.cc ..] [TEST_LIBS target..]
#         [TEST_USES room..] [BENCHMARKS foo_benchmark.cc ..] [COMPILE_FAIL foo_compile_fail.cc ..])
#
# One room: the static library ks_NAME, one test program NAME_test, and one program for each benchmark. USES lists the
# rooms it may include (tests/includes.py holds the sources against DESIGN's table); LIBS stay private to the room, so that
# a third-party header does not leak upwards.
function(ks_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBS;PUBLIC_LIBS;TESTS;TEST_LIBS;TEST_USES;BENCHMARKS;COMPILE_FAIL" ${ARGN})
  set(target ks_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND ks_)
  target_link_libraries(${target} PUBLIC ks_compile ${ARG_USES} ${ARG_PUBLIC_LIBS} PRIVATE ${ARG_LIBS})
  if(NOT KS_TESTS)
    return()
  endif()

  list(TRANSFORM ARG_TEST_USES PREPEND ks_)
  if(ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE ${target} ${ARG_TEST_USES} ${ARG_LIBS} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE KS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX ${name}. PROPERTIES LABELS unit TIMEOUT 120)
  endif()
  foreach(source ${ARG_BENCHMARKS})
    get_filename_component(benchmark "${source}" NAME_WE)
    add_executable(${benchmark} ${source})
    target_link_libraries(${benchmark} PRIVATE ${target} ${ARG_TEST_USES} ${ARG_LIBS} ${ARG_TEST_LIBS} benchmark::benchmark)
    target_compile_definitions(${benchmark} PRIVATE KS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # A benchmark checks its result before it times it; run once here so that the check stays true.
    add_test(NAME ${name}.${benchmark} COMMAND ${benchmark} --benchmark_min_time=0.001)
    set_tests_properties(${name}.${benchmark} PROPERTIES LABELS unit TIMEOUT 120)
  endforeach()
  foreach(source ${ARG_COMPILE_FAIL})
    ks_compile_fail_test(${name} ${target} ${source})
  endforeach()
endfunction()

# The source holds the misuse behind KS_MISUSE: it must compile without that definition and must not with it.
function(ks_compile_fail_test name target source)
  get_filename_component(stem "${source}" NAME_WE)
  foreach(variant control misuse)
    add_library(${stem}_${variant} OBJECT EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${stem}_${variant} PRIVATE ${target})
    add_test(NAME ${name}.${stem}.${variant}
      COMMAND ${CMAKE_COMMAND} --build "${PROJECT_BINARY_DIR}" --target ${stem}_${variant})
    set_tests_properties(${name}.${stem}.${variant} PROPERTIES LABELS unit RESOURCE_LOCK build_tree TIMEOUT 300)
  endforeach()
  target_compile_definitions(${stem}_misuse PRIVATE KS_MISUSE=1)
  set_tests_properties(${name}.${stem}.misuse PROPERTIES WILL_FAIL TRUE)
endfunction()
