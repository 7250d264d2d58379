# What `cmake --install` lays out: a tree that may be moved, since everything in it is found from where the program lies.
#
#   bin/kubesentiment
#   lib/libonnxruntime.so.1                      beside the program; other libraries are the system's
#   lib/libkubesentiment_torch.so                the PyTorch backend, where it was built; opened only when asked for
#   share/kubesentiment/models/default/          the package of the default model
#   share/doc/kubesentiment/                     licences, ours and those of what is shipped
#
# The component `runtime` is what serving int8 needs. A package is whole without the rest: `fp32` adds the other precision
# (and what the PyTorch backend reads), `portable` the graphs that other programs read, over fp32's weights and over
# int8's. `pytorch` is the PyTorch backend (src/backend/torch/CMakeLists.txt).
install(TARGETS kubesentiment RUNTIME DESTINATION bin COMPONENT runtime)
file(REAL_PATH "${OnnxRuntime_LIBRARY}" _ks_onnxruntime)
install(FILES "${_ks_onnxruntime}" DESTINATION lib RENAME libonnxruntime.so.1 COMPONENT runtime)

install(DIRECTORY "${KS_DEFAULT_MODEL}" DESTINATION share/kubesentiment/models COMPONENT runtime
  PATTERN "portable*" EXCLUDE PATTERN "fp32.onnx" EXCLUDE PATTERN "model.safetensors" EXCLUDE)
install(FILES "${KS_DEFAULT_MODEL}/fp32.onnx" "${KS_DEFAULT_MODEL}/model.safetensors"
  DESTINATION share/kubesentiment/models/default COMPONENT fp32)
install(FILES "${KS_DEFAULT_MODEL}/portable.onnx" "${KS_DEFAULT_MODEL}/portable_int8.onnx" "${KS_DEFAULT_MODEL}/portable_int8.bin"
  DESTINATION share/kubesentiment/models/default COMPONENT portable)

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/NOTICE"
  DESTINATION share/doc/kubesentiment COMPONENT runtime)
install(FILES "${PROJECT_SOURCE_DIR}/models/default/README.md"
  DESTINATION share/doc/kubesentiment RENAME default-model.md COMPONENT runtime)
# A library from the system brings its own.
get_filename_component(_ks_onnxruntime_notices "${OnnxRuntime_LIBRARY}/../../share" ABSOLUTE)
install(FILES "${_ks_onnxruntime_notices}/LICENSE" "${_ks_onnxruntime_notices}/ThirdPartyNotices.txt"
  DESTINATION share/doc/kubesentiment/onnxruntime COMPONENT runtime OPTIONAL)
