"""The sides of the comparison: whose they are, and what is timed of each."""
import dataclasses

@dataclasses.dataclass(frozen=True)
class Side:
    peer: str       # folder of bench/peers, or "ours"
    variant: str    # of its peer.py; of ours the precision or "pytorch"
    title: str
    kind: str       # of answers.BARS
    measured: bool = True   # timed in its process
    served: bool = True     # timed as a server
    packages: tuple = ()    # of its environment, beyond what serving needs: not counted in the size
    path: str = "/predict"
    limit_s: int = 240      # for its times; a peer that hangs must not cost the others theirs

    @property
    def key(self):
        return f"{self.peer}-{self.variant}"


TORCH_EXTRA = ("onnx",)
ORT_EXTRA = ("onnx", "sympy", "mpmath")
OPENVINO_EXTRA = ("nncf", "onnx", "scipy", "sklearn", "pandas", "pymoo", "networkx", "matplotlib", "rich", "jstyleson", "pydot")
TFLITE_EXTRA = ("torch", "torchgen", "torchao", "torchvision", "functorch", "transformers", "jax", "jaxlib", "jaxtyping",
                "litert_torch", "litert_converter", "litert_lm_builder", "ai_edge_quantizer", "sympy", "scipy", "networkx",
                "safetensors", "huggingface_hub", "matplotlib", "pandas", "ml_dtypes", "onnx", "sentencepiece", "kagglehub")

SIDES = [
    Side("torch", "fp32", "PyTorch fp32, eager, 2 threads (baseline)", "fp32", packages=TORCH_EXTRA),
    Side("torch", "fp32-1", "PyTorch fp32, eager, 1 thread", "fp32", served=False),
    Side("torch", "bf16", "PyTorch bf16, eager", "bf16", packages=TORCH_EXTRA),
    Side("torch", "compile", "torch.compile fp32", "fp32", served=False, packages=TORCH_EXTRA),
    Side("torch", "compile-bf16", "torch.compile bf16", "bf16", served=False, packages=TORCH_EXTRA),
    Side("torch", "torchscript", "TorchScript fp32", "fp32", packages=TORCH_EXTRA),
    Side("onnxruntime", "fp32", "ONNX Runtime fp32, 2 threads", "fp32", packages=ORT_EXTRA),
    Side("onnxruntime", "fp32-1", "ONNX Runtime fp32, 1 thread", "fp32", served=False),
    Side("onnxruntime", "int8", "ONNX Runtime INT8, fused, 2 threads", "int8", packages=ORT_EXTRA),
    Side("onnxruntime", "int8-1", "ONNX Runtime INT8, fused, 1 thread", "int8", packages=ORT_EXTRA),
    Side("onnxruntime", "int8-plain", "ONNX Runtime INT8, plain, 2 threads", "int8", packages=ORT_EXTRA),
    Side("onnxruntime", "int8-plain-1", "ONNX Runtime INT8, plain, 1 thread", "int8", packages=ORT_EXTRA),
    Side("openvino", "fp32", "OpenVINO f32", "fp32", served=False),
    Side("openvino", "default", "OpenVINO default precision", "bf16", packages=OPENVINO_EXTRA),
    Side("openvino", "default-static", "OpenVINO default precision, static shapes", "bf16", served=False),
    Side("openvino", "int8", "OpenVINO NNCF INT8, 2 threads", "int8", packages=OPENVINO_EXTRA),
    Side("openvino", "int8-1", "OpenVINO NNCF INT8, 1 thread", "int8", packages=OPENVINO_EXTRA),
    Side("openvino", "int8-static", "OpenVINO NNCF INT8, static shapes, 2 threads", "int8", served=False),
    Side("openvino", "int8-static-1", "OpenVINO NNCF INT8, static shapes, 1 thread", "int8", served=False),
    Side("tflite", "fp32", "LiteRT fp32, 2 threads", "fp32", served=False),
    Side("tflite", "int8", "LiteRT INT8, 2 threads", "int8", packages=TFLITE_EXTRA),
    Side("tflite", "int8-1", "LiteRT INT8, 1 thread", "int8", served=False),
    Side("infinity", "torch", "infinity-emb, torch engine", "fp32", measured=False, path="/classify"),
    Side("ours", "pytorch", "KubeSentiment, PyTorch backend", "fp32", path="/api/v1/predict"),
    Side("ours", "fp32", "KubeSentiment fp32", "fp32", path="/api/v1/predict"),
    Side("ours", "int8", "KubeSentiment INT8", "int8", path="/api/v1/predict"),
]
BASELINE = "torch-fp32"
