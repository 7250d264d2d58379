# Finds ONNX Runtime's C API: $ONNXRUNTIME_ROOT (variable or environment), then the system, then what scripts/setup
# fetched. Defines OnnxRuntime::OnnxRuntime, OnnxRuntime_LIBRARY and OnnxRuntime_INCLUDE_DIR.
set(_ks_ort_fetched "${PROJECT_SOURCE_DIR}/build/deps/onnxruntime")
set(_ks_ort_root "${ONNXRUNTIME_ROOT}")
if(NOT _ks_ort_root)
  set(_ks_ort_root "$ENV{ONNXRUNTIME_ROOT}")
endif()
set(_ks_exactly NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
if(_ks_ort_root)
  find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_c_api.h PATHS "${_ks_ort_root}" PATH_SUFFIXES include include/onnxruntime ${_ks_exactly})
  find_library(OnnxRuntime_LIBRARY onnxruntime PATHS "${_ks_ort_root}" PATH_SUFFIXES lib lib64 ${_ks_exactly})
else()
  find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_c_api.h PATH_SUFFIXES onnxruntime onnxruntime/core/session)
  find_library(OnnxRuntime_LIBRARY onnxruntime)
  if(NOT (OnnxRuntime_INCLUDE_DIR AND OnnxRuntime_LIBRARY))
    unset(OnnxRuntime_INCLUDE_DIR CACHE)
    unset(OnnxRuntime_LIBRARY CACHE)
    find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_c_api.h PATHS "${_ks_ort_fetched}/include" ${_ks_exactly})
    find_library(OnnxRuntime_LIBRARY onnxruntime PATHS "${_ks_ort_fetched}/lib" ${_ks_exactly})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/setup run, or set ONNXRUNTIME_ROOT")
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::OnnxRuntime)
  add_library(OnnxRuntime::OnnxRuntime SHARED IMPORTED)
  set_target_properties(OnnxRuntime::OnnxRuntime PROPERTIES
    IMPORTED_LOCATION "${OnnxRuntime_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OnnxRuntime_INCLUDE_DIR}")
endif()
