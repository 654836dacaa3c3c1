from .check import Check as Check
from .check import check_export as check_export
from .serving import export_serving as export_serving
