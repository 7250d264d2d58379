# Third-party libraries, one job each (docs/dependencies.md). Where an archive lies beside the shared library that a
# package names, it is the archive that is linked: a shared library costs every start a tenth of a millisecond, libcrypto
# with its 21,000 relocations half of one, Abseil's 29 together two.
function(ks_prefer_archive target)
  foreach(property IMPORTED_LOCATION IMPORTED_LOCATION_NONE IMPORTED_LOCATION_RELEASE)
    get_target_property(location ${target} ${property})
    if(location MATCHES "\\.so[.0-9]*$")
      string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${location}")
      if(EXISTS "${archive}")
        set_target_properties(${target} PROPERTIES ${property} "${archive}")
      endif()
    endif()
  endforeach()
endfunction()

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
get_directory_property(_ks_imported IMPORTED_TARGETS)
foreach(_ks_target IN LISTS _ks_imported)
  if(_ks_target MATCHES "^absl::")
    ks_prefer_archive(${_ks_target})
  endif()
endforeach()
find_package(simdjson REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(Protobuf REQUIRED)
find_package(ZLIB REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(OnnxRuntime REQUIRED)
foreach(_ks_target OpenSSL::Crypto protobuf::libprotobuf-lite ZLIB::ZLIB LibLZMA::LibLZMA)
  ks_prefer_archive(${_ks_target})
endforeach()

find_path(KS_CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
find_path(KS_CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(KS_CSV_LIBRARY csv REQUIRED)  # LGPL: stays a shared library

# Boost headers: 1.81, from the system or unpacked beside an older one by scripts/setup.
find_path(KS_BOOST_INCLUDE_DIR boost/asio/awaitable.hpp PATHS "${PROJECT_SOURCE_DIR}/build/deps/boost/usr/include" NO_DEFAULT_PATH)
if(NOT KS_BOOST_INCLUDE_DIR)
  find_path(KS_BOOST_INCLUDE_DIR boost/asio/awaitable.hpp REQUIRED)
endif()
file(STRINGS "${KS_BOOST_INCLUDE_DIR}/boost/version.hpp" _ks_boost REGEX "define BOOST_VERSION [0-9]+")
if(NOT _ks_boost MATCHES "10[8-9][0-9][0-9][0-9]" OR _ks_boost MATCHES "1080")
  message(FATAL_ERROR "Boost 1.81 or newer is needed, found ${_ks_boost}; run scripts/setup run")
endif()
add_library(ks_asio INTERFACE)
target_include_directories(ks_asio SYSTEM INTERFACE "${KS_BOOST_INCLUDE_DIR}")
target_compile_definitions(ks_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_CONCEPTS)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Beast 1.81 itself; our own code is still checked.
  target_compile_options(ks_asio INTERFACE -Wno-deprecated-declarations)
endif()

if(KS_MIMALLOC)
  find_package(mimalloc REQUIRED)
endif()
if(KS_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()

# onnx.proto as C++ (it is LITE_RUNTIME already), compiled without our warnings.
set(_ks_onnx_dir "${PROJECT_SOURCE_DIR}/build/deps/onnx")
if(NOT EXISTS "${_ks_onnx_dir}/onnx.proto")
  message(FATAL_ERROR "build/deps/onnx/onnx.proto is missing; run scripts/setup run")
endif()
set(_ks_onnx_out "${PROJECT_BINARY_DIR}/generated")
add_custom_command(
  OUTPUT "${_ks_onnx_out}/onnx.pb.cc" "${_ks_onnx_out}/onnx.pb.h"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${_ks_onnx_out}"
  COMMAND protobuf::protoc --proto_path "${_ks_onnx_dir}" --cpp_out "${_ks_onnx_out}" onnx.proto
  DEPENDS "${_ks_onnx_dir}/onnx.proto" VERBATIM)
add_library(ks_onnx_proto STATIC EXCLUDE_FROM_ALL "${_ks_onnx_out}/onnx.pb.cc")
target_include_directories(ks_onnx_proto SYSTEM PUBLIC "${_ks_onnx_out}")
target_compile_options(ks_onnx_proto PRIVATE -w)
target_link_libraries(ks_onnx_proto PUBLIC protobuf::libprotobuf-lite)
