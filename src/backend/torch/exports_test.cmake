# The plugin exports the functions of plugin.h and nothing else: cmake -D NM=nm -D PLUGIN=FILE -P exports_test.cmake
execute_process(COMMAND "${NM}" --dynamic --defined-only --format=posix "${PLUGIN}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[^ ]+" found "${symbols}")
list(TRANSFORM found STRIP)
list(SORT found)
set(expected ks_torch_abi ks_torch_create ks_torch_destroy ks_torch_last_error ks_torch_run ks_torch_version)
if(NOT "${found}" STREQUAL "${expected}")
  message(FATAL_ERROR "expected the exported symbols ${expected}, found ${found}")
endif()
