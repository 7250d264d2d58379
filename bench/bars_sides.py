"""Who takes part in which row of docs/speed.md; the sides themselves are those of sides.py."""
from sides import BASELINE, SIDES, Side

MODELS = {"minilm": "the default model (MiniLM, 6 layers of 384)",
          "distilbert": "DistilBERT's shape (6 layers of 768, random weights of a fixed seed)"}
OF_KEY = {side.key: side for side in SIDES}
OURS = OF_KEY["ours-int8"]
OURS_WIDE = Side("ours", "int8-2", "KubeSentiment INT8, 2 threads", "int8", served=False)
TORCH_ONE = OF_KEY["torch-fp32-1"]
LATENCY = [*(OF_KEY[key] for key in ("onnxruntime-int8", "onnxruntime-int8-1", "onnxruntime-int8-plain", "onnxruntime-int8-plain-1",
                                     "openvino-int8", "openvino-int8-1", "openvino-int8-static", "openvino-int8-static-1")),
           OURS, OURS_WIDE]
TEXTS = [OF_KEY[BASELINE], OF_KEY["openvino-int8"], OURS]
HTTP = [OF_KEY["onnxruntime-int8-plain"], OF_KEY["onnxruntime-int8-plain-1"], OF_KEY[BASELINE], TORCH_ONE,
        OF_KEY["infinity-torch"], OURS]
