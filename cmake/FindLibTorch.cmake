# Finds LibTorch: $KS_TORCH_ROOT or Torch_DIR (variable or environment; the folder with lib/libtorch_cpu.so, or the one
# with TorchConfig.cmake in it), then what scripts/setup fetched. Defines LibTorch::LibTorch, LibTorch_LIBRARY_DIR and
# LibTorch_VERSION. Not by way of TorchConfig.cmake: of a build with CUDA it asks for all of CUDA's tools.
set(_ks_torch_root "${KS_TORCH_ROOT}")
foreach(_ks_candidate IN ITEMS "$ENV{KS_TORCH_ROOT}" "${Torch_DIR}" "$ENV{Torch_DIR}" "${PROJECT_SOURCE_DIR}/build/deps/torch")
  if(NOT _ks_torch_root)
    set(_ks_torch_root "${_ks_candidate}")
  endif()
endforeach()
# Torch_DIR is ROOT/share/cmake/Torch.
string(REGEX REPLACE "/share/cmake/Torch/?$" "" _ks_torch_root "${_ks_torch_root}")

find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h PATHS "${_ks_torch_root}" PATH_SUFFIXES include NO_DEFAULT_PATH)
find_library(LibTorch_CPU_LIBRARY torch_cpu PATHS "${_ks_torch_root}" PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_library(LibTorch_C10_LIBRARY c10 PATHS "${_ks_torch_root}" PATH_SUFFIXES lib NO_DEFAULT_PATH)
set(LibTorch_VERSION "")
foreach(_ks_header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_INCLUDE_DIR}/${_ks_header}")
    file(READ "${LibTorch_INCLUDE_DIR}/${_ks_header}" _ks_text)
    if(_ks_text MATCHES "define TORCH_VERSION[ \\\n]+\"([^\"]+)\"")
      set(LibTorch_VERSION "${CMAKE_MATCH_1}")
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR LibTorch_VERSION
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/setup test, or set KS_TORCH_ROOT")
if(LibTorch_FOUND)
  get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_CPU_LIBRARY}" DIRECTORY)
  if(NOT TARGET LibTorch::LibTorch)
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    set_target_properties(LibTorch::LibTorch PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR}"
      # One operator's header at a time: all of them cost ten times as long to compile.
      INTERFACE_COMPILE_DEFINITIONS "AT_PER_OPERATOR_HEADERS;KS_LIBTORCH_VERSION=\"${LibTorch_VERSION}\""
      INTERFACE_LINK_LIBRARIES "${LibTorch_CPU_LIBRARY};${LibTorch_C10_LIBRARY}")
  endif()
endif()
