from .check import Check as Check
from .check import check_export as check_export
from .litert import export_litert as export_litert
from .onnx import export_onnx as export_onnx
from .serving import export_serving as export_serving
from .voice_check import VoiceCheck as VoiceCheck
