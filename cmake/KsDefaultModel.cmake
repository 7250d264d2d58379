# The package of the default model, made by our own `convert` in the build tree, where `serve` and `predict` look for it:
# bin/../share/kubesentiment/models/default. Made anew when the checkpoint or the program changes.
if(KS_HOST_BUILD)
  # The program cannot be run here, and a package is the same for every CPU.
  set(KS_DEFAULT_MODEL "${KS_HOST_BUILD}/share/kubesentiment/models/default")
  return()
endif()
set(KS_DEFAULT_MODEL "${PROJECT_BINARY_DIR}/share/kubesentiment/models/default")
set(_ks_checkpoint "${PROJECT_SOURCE_DIR}/models/default")

add_custom_command(
  OUTPUT "${KS_DEFAULT_MODEL}/manifest.json"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${PROJECT_BINARY_DIR}/share/kubesentiment/models"
  COMMAND kubesentiment convert "${_ks_checkpoint}" --output "${KS_DEFAULT_MODEL}" --overwrite
          --name sentiment-minilm-en --max-length 256 --portable
  DEPENDS kubesentiment "${_ks_checkpoint}/config.json" "${_ks_checkpoint}/tokenizer.json" "${_ks_checkpoint}/model.safetensors"
          "${_ks_checkpoint}/int8_calibrated.safetensors" "${_ks_checkpoint}/temperature.json"
  COMMENT "Converting the default model"
  VERBATIM)

# The sanitizer lanes run no program on it; there it is made when asked for.
if(KS_SANITIZE)
  add_custom_target(default_model DEPENDS "${KS_DEFAULT_MODEL}/manifest.json")
else()
  add_custom_target(default_model ALL DEPENDS "${KS_DEFAULT_MODEL}/manifest.json")
endif()
