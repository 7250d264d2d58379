include(GoogleTest)

# Everything that a test runs; the sanitizer lanes build this and no more.
add_custom_target(ks_tests)

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
  if(NOT KS_TESTS OR (KS_TESTED_ROOMS AND NOT name IN_LIST KS_TESTED_ROOMS))
    return()
  endif()

  list(TRANSFORM ARG_TEST_USES PREPEND ks_)
  if(ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE ${target} ${ARG_TEST_USES} ${ARG_LIBS} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE KS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    if(KS_SANITIZE MATCHES "address")
      # The test sources themselves are all expectations: optimising their checks doubles the time to compile them.
      target_compile_options(${name}_test PRIVATE -O0)
    endif()
    # What CMake calls an emulator is any program to run the tests through.
    set_target_properties(${name}_test PROPERTIES CROSSCOMPILING_EMULATOR "${PROJECT_SOURCE_DIR}/tests/with_scratch")
    add_dependencies(ks_tests ${name}_test)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX ${name}. PROPERTIES LABELS unit TIMEOUT 120)
  endif()
  if(NOT KS_BENCHMARKS)
    set(ARG_BENCHMARKS)
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

# The source holds the misuse behind KS_MISUSE: it must compile without that definition and must not with it. A line
# `// expect: TEXT` in it says what the compiler must find wrong; without one, any error will do.
function(ks_compile_fail_test name target source)
  get_filename_component(stem "${source}" NAME_WE)
  file(STRINGS "${source}" expected REGEX "^// expect: ")
  list(TRANSFORM expected REPLACE "^// expect: " "")
  if(NOT expected)
    set(expected "error:")
  endif()
  foreach(variant control misuse)
    add_library(${stem}_${variant} OBJECT EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${stem}_${variant} PRIVATE ${target})
  endforeach()
  target_compile_definitions(${stem}_misuse PRIVATE KS_MISUSE=1)
  set(build ${CMAKE_COMMAND} --build "${PROJECT_BINARY_DIR}" --target)
  add_test(NAME ${name}.${stem}.control COMMAND ${build} ${stem}_control)
  add_test(NAME ${name}.${stem}.misuse
    COMMAND "${PROJECT_SOURCE_DIR}/tests/lanes/expect.py" "${expected}" -- ${build} ${stem}_misuse)
  # Two builds of one tree at a time would collide.
  set_tests_properties(${name}.${stem}.control ${name}.${stem}.misuse PROPERTIES LABELS unit RESOURCE_LOCK build_tree TIMEOUT 300)
endfunction()
