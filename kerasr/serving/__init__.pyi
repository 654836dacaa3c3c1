from .options import ServerOptions as ServerOptions
from .server import Server as Server
from .status import Code as Code
from .status import ServingError as ServingError
